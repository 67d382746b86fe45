"""dbt in a new process for each call, forked from one that has imported it and read the project.

That takes longer than most calls do. What a call leaves behind in its process, connections and
locks above all, ends with it, as it does with the command.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from dbt.cli.main import cli, dbtRunner

from orchestration import dbt_plugin
from orchestration.loading import warehouse
from orchestration.settings import ROOT

PROJECT = ("--project-dir", "dbt_project", "--profiles-dir", ".")


def run_dbt(
    arguments: Sequence[str], environment: Mapping[str, str], output: Path
) -> tuple[int, str]:
    """Run dbt to its end.

    Args:
        arguments: as on the command line; the project is known.
        environment: the whole of it.
        output: the file to print to; it is overwritten.

    Returns:
        The exit status, and what was printed.
    """
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    call = {"arguments": [*arguments, *PROJECT], "environment": dict(environment)}
    server.stdin.write(json.dumps(call | {"output": str(output)}) + "\n")
    server.stdin.flush()
    return int(server.stdout.readline()), output.read_text()


@cache
def _server() -> subprocess.Popen[str]:
    """The process to fork from; it ends with this one, which holds its standard input."""
    return subprocess.Popen(
        [sys.executable, "-m", __spec__.name if __spec__ else __name__],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    assert dbt_plugin  # imported, as dbt would
    warehouse.CONFIG["allow_unsigned_extensions"] = True  # as in conftest.py
    with tempfile.TemporaryDirectory() as folder:
        where = ["--target-path", folder, "--log-path", folder]
        outcome = dbtRunner().invoke(["--quiet", "parse", *where, *PROJECT])
    assert outcome.success, outcome.exception
    for line in sys.stdin:
        call = json.loads(line)
        if (child := os.fork()) == 0:
            _run(**call)
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


def _run(arguments: list[str], environment: dict[str, str], output: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    with Path(output).open("wb") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    status = 1
    try:
        cli(arguments, prog_name="dbt")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
