"""The stack from start to stop: `make run`, and what `make demo` stands on."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestration import dagster_database, modes
from stack import code_server
from stack.lock import only_stack
from stack.output import say
from stack.preflight import check, check_ports, write_sources_if_missing
from stack.settings import Settings
from stack.supervisor import Supervisor

SCRIPTS = Path(sys.executable).parent

CODE_SERVER = "dagster-code"

WORKSPACE = "code-server.yaml"
"""In DAGSTER_HOME: with it Dagster asks the code server for our code."""


@contextmanager
def stack_up(settings: Settings, show: Callable[[str, str], None]) -> Iterator[Supervisor]:
    """Check, prepare and start everything; stop it all at the end of the `with` block.

    Args:
        settings: Of all parts.
        show: Called with the name of a process and each line it prints.

    Yields:
        The supervisor, whose `tick` the block has to call while it waits.

    Raises:
        StackError: The stack cannot start.
    """
    modes.begin(settings)
    check(settings)
    with only_stack(settings.dagster_home, say) as lock:
        check_ports(settings)
        if write_sources_if_missing(settings.sources):
            say(f"Wrote {settings.sources} with keys of its own.")
        with (
            # a socket's path is a short one, and that of DAGSTER_HOME may be long
            TemporaryDirectory(prefix="seamline-", ignore_cleanup_errors=True) as folder,
            Supervisor(show, environment=_environment(settings), keep_open=(lock,)) as supervisor,
        ):
            say("Preparing the warehouse …")
            socket = Path(folder) / "code"
            prepare = ("prepare", sys.executable, "-m", "orchestration", "prepare")
            if dagster_database.is_made(settings):
                # both take seconds, and whoever comes first writes the manifest
                supervisor.start(CODE_SERVER, *code_server.command(socket))
                supervisor.run(*prepare)
            else:
                # two that make Dagster's databases at the same time may spoil them
                supervisor.run(*prepare)
                supervisor.start(CODE_SERVER, *code_server.command(socket))
            workspace = settings.dagster_home / WORKSPACE
            code_server.write_workspace(workspace, socket)
            for name, command in services(settings, workspace).items():
                supervisor.start(name, *command)
            yield supervisor


@contextmanager
def stoppable() -> Iterator[None]:
    """Let Ctrl-C or SIGTERM be the good end of a command."""
    try:
        yield
    except KeyboardInterrupt:
        say("Stopped.")


def services(settings: Settings, workspace: Path) -> dict[str, tuple[str, ...]]:
    """What runs for as long as the stack is up, beside the code server.

    Args:
        settings: Of all parts.
        workspace: By which Dagster finds that.
    """
    workspaces = ("-w", "workspace.yaml", "-w", str(workspace))
    fetch = {"fetch": (sys.executable, "-m", "orchestration", "fetch")}
    return (fetch if settings.landing_remote else {}) | {
        "receiver": (sys.executable, "-m", "receiver"),
        "dagster-webserver": (sys.executable, "-m", "stack.dagster_ui", *workspaces),
        "dagster-daemon": (sys.executable, "-m", "stack.dagster_daemon", "run", *workspaces),
    }


def _environment(settings: Settings) -> dict[str, str]:
    """What every process needs: one idea of the settings that `.env` may hold, and our `dbt`."""
    storage = (
        {dagster_database.SETTING: settings.dagster_storage} if settings.dagster_storage else {}
    )
    said = {name: os.environ.get(name, most) for name, most in code_server.ENVIRONMENT.items()}
    return (
        storage
        | said
        | {
            "DAGSTER_HOME": str(settings.dagster_home),
            "SEAMLINE_INTEGRATION_NAME": settings.integration_name,
            "PATH": os.pathsep.join([str(SCRIPTS), os.environ.get("PATH", os.defpath)]),
            "PYTHONUNBUFFERED": "1",
        }
    )
