"""The code server of `make run`: one, for Dagster's webserver and its daemon alike.

Each would start one of its own, four seconds of processor at a start, and show other code than
the other one until both have loaded it again. As `dagster dev` does it: a server that loads the
code in a process of its own, and exchanges that process when it is asked to load it again.
"""

import sys
from pathlib import Path

import yaml

from landed.settings import ROOT

LOCATION = "seamline"
"""The code's name in workspace.yaml, by which the state of sensors and schedules is kept."""

MODULE = "orchestration.definitions"

ENVIRONMENT = {"DAGSTER_CODE_SERVER_MAX_WORKERS": "32", "DAGSTER_GRPC_MAX_WORKERS": "32"}
"""Its outer and its inner process answer so many questions at once, where nobody has said
otherwise: with Dagster's six a few sensors that wait for somebody else's server hold up the UI."""


def command(socket: Path) -> tuple[str, ...]:
    """What starts the server.

    Args:
        socket: By which it is asked: the path has a hundred characters at most.
    """
    return (
        *(sys.executable, "-m", "dagster", "code-server", "start"),
        *("--socket", str(socket), "--location-name", LOCATION, "--log-level", "warning"),
        *("--module-name", MODULE, "--working-directory", str(ROOT)),
    )


def write_workspace(path: Path, socket: Path) -> None:
    """Write a workspace that, behind workspace.yaml, has the server asked for our code.

    Args:
        path: Of the file that is written.
        socket: Of the server.
    """
    shown = {"module_name": MODULE, "working_directory": str(ROOT)}
    server = {"socket": str(socket), "location_name": LOCATION, "additional_metadata": shown}
    path.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}), encoding="utf-8")
