"""The processes of the stack, as commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stack.settings import LOOPBACK
from stack.supervisor import Service

if TYPE_CHECKING:
    from stack.settings import Settings

SCRIPTS = Path(sys.executable).parent


def preparation(settings: Settings) -> Service:
    """What has to have run before the services start."""
    return Service(
        "prepare", (sys.executable, "-m", "orchestration", "prepare"), _environment(settings)
    )


def services(settings: Settings) -> tuple[Service, ...]:
    """What runs for as long as the stack is up."""
    environment = _environment(settings)
    workspace = ("-w", "workspace.yaml")
    port = str(settings.orchestration.dagster_port)
    webserver = (str(SCRIPTS / "dagster-webserver"), *workspace, "-h", LOOPBACK, "-p", port)
    daemon = (str(SCRIPTS / "dagster-daemon"), "run", *workspace)
    return (
        Service("receiver", (sys.executable, "-m", "receiver"), environment),
        Service("dagster-webserver", webserver, environment),
        Service("dagster-daemon", daemon, environment),
    )


def _environment(settings: Settings) -> dict[str, str]:
    """What every process needs: one idea of the settings that `.env` may hold, and our `dbt`."""
    return {
        "DAGSTER_HOME": str(settings.orchestration.dagster_home),
        "SEAMLINE_INTEGRATION_NAME": settings.orchestration.integration_name,
        "PATH": os.pathsep.join([str(SCRIPTS), os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
    }
