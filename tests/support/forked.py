"""dbt, our models and `python -m orchestration`, each call a process forked from a warm one.

That one has imported both and read the project, which takes longer than most calls do. What a call
leaves behind in its process, connections and locks above all, ends with it, as it does with the
command. The environment of a call is all that it knows of a house.
"""

import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock

from landed.settings import ROOT
from orchestration.settings import Settings
from tests.support.warehouse import spare_the_processor

_MART = "a user's model:"
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


def run_models(names: Iterable[str], house: Mapping[str, str]) -> None:
    """Bring models up to date as Dagster and `make load` do; they have to be.

    Args:
        names: those of the models.
        house: its settings, by their names in the environment.
    """
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        status = _call("models", list(names), os.environ | house, said, said)
        assert status == 0, said.read_text()


def run_marts(project: Path, names: Iterable[str], house: Mapping[str, str]) -> list[str]:
    """Run a user's models of a project as Dagster does, and say in a line what became of each.

    Args:
        project: the folder; what it shares with ours has been read.
        names: those of the models.
        house: its settings, by their names in the environment.
    """
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        _channel()
        own = _connect(_run_folder() / "forked")  # others are called meanwhile
        called = [str(project), *names]
        status = _call("marts", called, os.environ | house, said, said, own)
        assert status == 0, said.read_text()
        lines = said.read_text().splitlines()
    return [line.removeprefix(_MART).strip() for line in lines if line.startswith(_MART)]


def _call(
    command: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    output: Path,
    errors: Path,
    channel: TextIO | None = None,
) -> int:
    call = {
        "command": command,
        "arguments": list(arguments),
        "environment": dict(environment),
        "output": str(output),
        "errors": str(errors),
    }
    channel = channel or _channel()
    channel.write(json.dumps(call) + "\n")
    channel.flush()
    status = channel.readline()
    assert status, (_run_folder() / "forked.log").read_text()
    return int(status)


@cache
def _channel() -> TextIO:
    """The way to the process to fork from, which all processes of a test run share."""
    folder = _run_folder()
    address = folder / "forked"
    with FileLock(folder / "forked.lock"):
        try:
            return _connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            address.unlink(missing_ok=True)
            with (folder / "forked.log").open("w") as log:
                subprocess.Popen(
                    [sys.executable, "-m", __spec__.name if __spec__ else __name__, address],
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # ctrl-c ends the tests, and they it
                )
            while not address.exists():
                time.sleep(0.01)
            return _connect(address)


def _run_folder() -> Path:
    return Path(os.environ["TEST_RUN_FOLDER"])


def _connect(address: Path) -> TextIO:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(address))
        return client.makefile("rw")


def _serve(address: str) -> None:
    """Answer calls until nobody is connected any more."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{address}.new")
        listener.listen()
        Path(f"{address}.new").rename(address)
        manifest = _warm_up()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how the answering ended
        caller = listener.accept()[0]
        callers = {caller: caller.makefile()}
        while callers:
            for ready in select.select([listener, *callers], [], [])[0]:
                if ready is listener:
                    caller = listener.accept()[0]
                    callers[caller] = caller.makefile()
                elif call := callers[ready].readline():
                    if os.fork() == 0:
                        _answer(ready, json.loads(call), manifest)
                else:
                    callers.pop(ready).close()
                    ready.close()


_IMPORTED_LATE = (
    "babel.dates",
    "dbt.adapters.duckdb.environments.local",
    "dbt.parser.sql",
    "dbt.task.run",
    "dbt.task.test",
    "dbt_common.clients.agate_helper",
    "duckdb_extension_ducklake",
    "duckdb_extension_sqlite_scanner",
    "multiprocessing.pool",
    "orchestration.__main__",
    "orchestration.models.plugin",
    "orchestration.prepare",
    "orchestration.audit.verify",
    "pyarrow.dataset",
    "rich.progress",
)
"""What a command imports while it works."""


def _warm_up() -> Any:
    """Import what commands need, and read the project; return dbt's manifest."""
    # here, so that those who only call do not wait for it
    from dbt.cli.main import dbtRunner  # noqa: PLC0415
    from dbt.plugins.manager import PluginManager  # noqa: PLC0415
    from dbt_common.clients.jinja import template_cache  # noqa: PLC0415

    from orchestration.models.project_vars import dbt_vars  # noqa: PLC0415

    for module in _IMPORTED_LATE:
        importlib.import_module(module)
    assert dbt_vars()
    plugins = PluginManager.get_prefixed_modules()  # looked for in all that is installed
    PluginManager.get_prefixed_modules = staticmethod(lambda: plugins)
    spare_the_processor()
    where = ["--target-path", str(_read_project()), "--log-path", str(_read_project())]
    parse = ["--quiet", "--no-static-parser", "parse"]
    outcome = dbtRunner().invoke([*parse, *where, *PROJECT])
    assert outcome.success, outcome.exception
    for macro in outcome.result.macros.values():
        if macro.package_name in {"seamline", "dbt_duckdb", "dbt"}:
            template_cache.get_node_template(macro)
    gc.collect()
    gc.disable()  # a fork ends before it has use for it
    return outcome.result


def _read_project() -> Path:
    """The folder in which dbt keeps what it has read of the project."""
    return _run_folder() / "dbt-target"


def _answer(caller: socket.socket, call: dict[str, Any], manifest: Any) -> None:
    """Run one call in a process of its own, and say how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if (child := os.fork()) == 0:
        name = call["environment"].get("SEAMLINE_INTEGRATION_NAME", "Segment")
        _run(**call, manifest=manifest if name == "Segment" else None)
    _, status = os.waitpid(child, 0)
    caller.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _run(
    command: str,
    arguments: list[str],
    environment: dict[str, str],
    output: str,
    errors: str,
    manifest: Any,
) -> None:
    os.umask(0o022)  # as a shell has it
    os.environ.clear()
    # dbt's static parser has threads, which a fork does not have and would wait for
    os.environ.update({"DBT_LOG_LEVEL_FILE": "none", "DBT_STATIC_PARSER": "false"} | environment)
    for path, descriptor in ((output, 1), (errors, 2)):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        file = os.open(path, flags, 0o666)
        os.dup2(file, descriptor)
        os.close(file)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    status = 1
    try:
        _command(command, arguments, manifest)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
        if isinstance(end.code, str):  # a message, which Python would print
            sys.stderr.write(f"{end.code}\n")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _command(name: str, arguments: list[str], manifest: Any) -> None:
    """Run a command, which exits; dbt has the project as it was read, where there is a manifest.

    To write a manifest it reads the project again, but not what has not changed.
    """
    from dbt.cli import main as dbt  # noqa: PLC0415

    from orchestration.__main__ import cli  # noqa: PLC0415
    from orchestration.models import run as own_dbt  # noqa: PLC0415

    class Runner(dbt.dbtRunner):
        def invoke(self, args: list[str], **more: Any) -> dbt.dbtRunnerResult:
            is_read = "parse" not in args and name != "marts"
            self.manifest = manifest if is_read else None
            if not is_read and manifest:
                target = Path(args[args.index("--target-path") + 1])
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(_read_project() / "partial_parse.msgpack", target)
            return super().invoke(args, **more)

    if name == "dbt":
        dbt.cli(arguments, prog_name=name, obj={"manifest": manifest, "callbacks": []})
    own_dbt.dbtRunner = Runner
    if name == "models":
        failed = own_dbt.failures(own_dbt.run_models(Settings(), arguments))
        sys.exit("\n".join(failed) or 0)
    if name == "marts":
        own_dbt.PROJECT_DIR = Path(arguments.pop(0))
        for result in own_dbt.run_marts(Settings(), arguments):
            said = " ".join(str(result.message).split())
            print(_MART, result.node.name, result.status, said)  # noqa: T201 - the answer
        sys.exit(0)
    cli(arguments, prog_name=name)


if __name__ == "__main__":
    _serve(sys.argv[1])
