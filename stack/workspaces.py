"""The workspaces that Dagster's webserver and daemon are told of, and the wait for their code."""

import time
from collections.abc import Sequence

import click
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._grpc import server_watcher
from dagster._grpc.client import DagsterGrpcClient

from stack.code_server import LOCATION

POLL_SECONDS = 0.1

LONGEST_SECONDS = 180.0
"""So long Dagster itself waits for a code server."""

WATCH_SECONDS = 5.0
"""Between two looks whether a server has other code; Dagster has one."""

with_workspaces = click.option(
    "--workspace",
    "-w",
    "workspaces",
    multiple=True,
    default=("workspace.yaml",),
    help="Where code is. Of two locations of one name the one named last counts.",
)


def watch_servers_less() -> None:
    """Have this process ask code servers less often whether their code is another.

    Looking once a second took a third of the processor of a stack that had nothing to do.
    """
    server_watcher.WATCH_INTERVAL = WATCH_SECONDS  # type: ignore[assignment]


def wait_for_server(workspaces: Sequence[str]) -> None:
    """Wait until the stack's server, if workspaces name it, has loaded our code.

    Dagster would show an error first, and its daemon look again a minute later. Where it does not
    answer in `LONGEST_SECONDS` it is left to Dagster to say so, as it is with a user's servers.
    """
    deadline = time.monotonic() + LONGEST_SECONDS
    for origin in WorkspaceFileTarget(list(workspaces)).create_origins():
        if isinstance(origin, GrpcServerCodeLocationOrigin) and origin.location_name == LOCATION:
            client = origin.create_client()
            while not _has_begun(client) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)


def _has_begun(client: DagsterGrpcClient) -> bool:
    """Whether a server takes questions: once its code is loaded, or has turned out not to load."""
    try:
        client.heartbeat()
    except DagsterUserCodeUnreachableError:
        return False
    return True
