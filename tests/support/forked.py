"""dbt and `python -m orchestration` in a new process for each call, forked from a warm one.

That one has imported both and read the project, which takes longer than most calls do. What a call
leaves behind in its process, connections and locks above all, ends with it, as it does with the
command. The environment of a call is all that it knows of a house.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

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
    status = _call("dbt", [*arguments, *PROJECT], environment, output, output)
    return status, output.read_text()


def run_command(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run `python -m orchestration` to its end.

    Args:
        arguments: as on the command line.
        environment: the whole of it.

    Returns:
        The exit status, and what was printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        status = _call("orchestration", arguments, environment, output, errors)
        printed = output.read_text(), errors.read_text()
    return subprocess.CompletedProcess(arguments, status, *printed)


def _call(
    command: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    output: Path,
    errors: Path,
) -> int:
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    call = {
        "command": command,
        "arguments": list(arguments),
        "environment": dict(environment),
        "output": str(output),
        "errors": str(errors),
    }
    server.stdin.write(json.dumps(call) + "\n")
    server.stdin.flush()
    return int(server.stdout.readline())


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
    # here, so that those who only call do not wait for it
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    from orchestration import dbt_plugin, prepare, verify  # noqa: PLC0415
    from orchestration.loading import warehouse  # noqa: PLC0415

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    assert all((dbt_plugin, prepare, verify))  # imported, as a command would
    warehouse.CONFIG["allow_unsigned_extensions"] = True  # as in conftest.py
    with tempfile.TemporaryDirectory() as folder:
        where = ["--target-path", folder, "--log-path", folder]
        # dbt's static parser has threads, which a fork does not have and would wait for
        parse = ["--quiet", "--no-static-parser", "parse"]
        outcome = dbtRunner().invoke([*parse, *where, *PROJECT])
    assert outcome.success, outcome.exception
    for line in sys.stdin:
        call = json.loads(line)
        if (child := os.fork()) == 0:
            _run(**call)
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


def _run(
    command: str, arguments: list[str], environment: dict[str, str], output: str, errors: str
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for path, descriptor in ((output, 1), (errors, 2)):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        file = os.open(path, flags, 0o666)
        os.dup2(file, descriptor)
        os.close(file)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    status = 1
    try:
        _command(command)(arguments, prog_name=command)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _command(name: str):  # noqa: ANN202 - click's
    from dbt.cli.main import cli as dbt  # noqa: PLC0415

    from orchestration.__main__ import cli as orchestration  # noqa: PLC0415

    return dbt if name == "dbt" else orchestration


if __name__ == "__main__":
    _serve()
