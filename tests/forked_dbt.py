"""dbt in a new process for each call, forked from one that has imported it already.

The imports take five seconds, more than many a call. What a call leaves behind in its process,
connections and locks above all, ends with it, as it does with the command.
"""

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from dbt.cli.main import cli

from orchestration.loading import warehouse
from orchestration.settings import ROOT

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(
    ["dbt.cli.main", "dbt.adapters.duckdb", "dbt.task.run", "orchestration.dbt_plugin"]
)


def run_dbt(
    arguments: Sequence[str], environment: Mapping[str, str], output: Path
) -> tuple[int, str]:
    """Run dbt to its end.

    Args:
        arguments: as on the command line.
        environment: the whole of it.
        output: the file to print to; it is overwritten.

    Returns:
        The exit status, and what was printed.
    """
    process = _processes.Process(target=_dbt, args=(list(arguments), dict(environment), output))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode, output.read_text()


def _dbt(arguments: list[str], environment: dict[str, str], output: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    warehouse.CONFIG["allow_unsigned_extensions"] = True  # as in conftest.py
    with output.open("wb") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    cli(arguments, prog_name="dbt")
