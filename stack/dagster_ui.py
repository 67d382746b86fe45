"""`python -m stack.dagster_ui`: Dagster's webserver, as its own command starts it, but guarded."""

import os
from collections.abc import Sequence

import click
import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._utils.log import configure_loggers
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.cli import (
    DEFAULT_DB_STATEMENT_TIMEOUT,
    DEFAULT_POOL_MAX_OVERFLOW,
    DEFAULT_POOL_RECYCLE,
)
from dagster_webserver.version import __version__
from starlette.applications import Starlette

from orchestration import modes
from stack.login import read_login
from stack.own_names import OwnNamesOnly
from stack.settings import EVERYWHERE, Settings
from stack.workspaces import wait_for_server, watch_servers_less, with_workspaces

POLL_MILLISECONDS = 2000
GRACE_SECONDS = 5
"""How long an open page can hold up the end."""

EVENTS_AT_ONCE = 200
"""Of a run that stays its page shows thousands, and the first of them with the first so many."""

_OF_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def application(workspace: WorkspaceProcessContext, settings: Settings) -> Starlette:
    """Return Dagster's web application, for its own names and whoever has the login.

    Raises:
        StackError: The login is missing or of no use.
    """
    app = create_app_from_workspace_process_context(
        workspace, live_data_poll_rate=POLL_MILLISECONDS
    )
    app.add_middleware(OwnNamesOnly, names=own_names(settings), login=read_login(settings))
    return app


def configuration(workspace: WorkspaceProcessContext, settings: Settings) -> uvicorn.Config:
    """Return how the application is served.

    Raises:
        StackError: The login is missing or of no use.
    """
    return uvicorn.Config(
        application(workspace, settings),
        host=settings.dagster_host,
        port=settings.dagster_port,
        log_level="warning",
        proxy_headers=False,  # nothing is made of what a proxy says
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def own_names(settings: Settings) -> set[str]:
    """The names and addresses by which the UI may be asked."""
    bound = set() if settings.dagster_host in EVERYWHERE else {settings.dagster_host}
    return {*_OF_LOOPBACK, *bound, *(settings.dagster_names or ())}


def send_few_events_at_once() -> None:
    """Have a run's page filled in small portions, if nobody has said otherwise.

    A thousand events, Dagster's own portion, take a second of processor before any is shown.
    """
    os.environ.setdefault("DAGSTER_UI_EVENT_LOAD_CHUNK_SIZE", str(EVENTS_AT_ONCE))


@click.command(help="Serve the Dagster UI until told to stop.")
@with_workspaces
def main(workspaces: Sequence[str]) -> None:
    """Serve until told to stop."""
    settings = Settings()
    send_few_events_at_once()
    modes.begin(settings)
    configure_loggers()
    watch_servers_less()
    wait_for_server(workspaces)
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(
            DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW
        )
        with WorkspaceProcessContext(
            instance, WorkspaceFileTarget(list(workspaces)), version=__version__
        ) as workspace:
            uvicorn.Server(configuration(workspace, settings)).run()


if __name__ == "__main__":
    main()
