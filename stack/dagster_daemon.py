"""`python -m stack.dagster_daemon`: Dagster's daemon, which loads code again only where it has to.

Its own command starts another code server each minute, whatever has changed, and ends the one
before: five seconds of processor, most of what a stack took that had nothing to do.
"""

import logging
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from dagster._core.remote_representation.code_location import GrpcServerCodeLocation
from dagster._core.workspace.context import IWorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.workspace import CodeLocationEntry
from dagster._daemon import controller
from dagster._daemon.cli import run_command

from landed.settings import ROOT
from orchestration.models.project_files import below
from stack.workspaces import wait_for_server, watch_servers_less, with_workspaces

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
"""Between two looks at the code, as Dagster's own daemon has it."""

LONGEST_SECONDS = 3600.0
"""A code server that is well is exchanged after so long."""

_CODE = ("orchestration", "landed", "dbt_seamline", "dbt_project")

Written = frozenset[tuple[str, int, int]]
"""The files that the definitions are made from, and when and how each was written last."""


def code_as_written(root: Path = ROOT) -> Written:
    """Look at our code, the dbt project and the settings."""
    files = [root / ".env", root / "profiles.yml"]
    for folder in _CODE:
        files += below(root / folder)
    return frozenset(found for file in files for found in _state(file))


def _state(file: Path) -> list[tuple[str, int, int]]:
    try:
        state = file.stat()
    except OSError:  # it is gone, or is no file that anybody could load: a link to itself
        return []
    if stat.S_ISDIR(state.st_mode):  # it changes with what is written by use
        return []
    return [(str(file), max(state.st_mtime_ns, state.st_ctime_ns), state.st_size)]


class Code:
    """The code that was loaded last."""

    def __init__(
        self,
        look: Callable[[], Written] = code_as_written,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take it as it is written now."""
        self._look = look
        self._clock = clock
        self.is_loaded()

    def is_loaded(self) -> None:
        """Remember that it was loaded just now."""
        self._loaded = self._look()
        self._at = self._clock()

    def has_to_be_loaded(self, entries: Mapping[str, CodeLocationEntry]) -> bool:
        """Whether it has changed, was not loaded well, or its server does not answer, or is old."""
        is_old = self._clock() - self._at > LONGEST_SECONDS
        return is_old or self._look() != self._loaded or not all(map(_answers, entries.values()))


def _answers(entry: CodeLocationEntry) -> bool:
    if not isinstance(entry.code_location, GrpcServerCodeLocation):
        return False  # it could not be loaded
    try:
        entry.code_location.client.ping("")
    except Exception:  # noqa: BLE001 - whatever it is: a server that is well answers
        return False
    return True


class Controller(controller.DagsterDaemonController):
    """Dagster's own, that asks whether there is a reason to load the code again."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Begin as Dagster's own does."""
        super().__init__(*arguments, **named)
        self._code = Code()

    def check_workspace_freshness(self, last_workspace_update_time: float) -> float:
        """Load the code again if it is time and there is a reason; return when it was looked at."""
        if time.time() - last_workspace_update_time <= LOOK_SECONDS:
            return last_workspace_update_time
        try:
            workspace = self._workspace_process_context
            if not self._code.has_to_be_loaded(_entries(workspace)):
                return time.time()
            self._code.is_loaded()  # first: what is written meanwhile is seen at the next look
            workspace.reload_workspace()
            if any(entry.load_error for entry in _entries(workspace).values()):
                # a server whose inner process had died says so as well, and has another by then
                workspace.refresh_workspace()
        except Exception:  # as Dagster's own has it: else the daemon ends, and nothing is loaded
            log.exception(
                "Could not see to it that code which has changed is loaded; what is loaded stays"
            )
        return time.time()


def _entries(
    workspace: IWorkspaceProcessContext[WorkspaceRequestContext],
) -> Mapping[str, CodeLocationEntry]:
    return workspace.create_request_context().get_code_location_entries()


@click.group()
def cli() -> None:
    """Dagster's daemon."""


@cli.command(help="Run it until told to stop.")
@with_workspaces
def run(workspaces: Sequence[str]) -> None:
    """Run Dagster's own command, with our way to look at the code."""
    watch_servers_less()
    wait_for_server(workspaces)
    controller.DagsterDaemonController = Controller  # type: ignore[misc]
    run_command([argument for workspace in workspaces for argument in ("-w", workspace)])


if __name__ == "__main__":
    cli(prog_name="python -m stack.dagster_daemon")
