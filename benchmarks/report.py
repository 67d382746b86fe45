"""What every page of figures says beside them. The notes of people at its end are kept."""

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

NOTES = "## Notes"


def conditions(*packages: str) -> str:
    """Return when and where this was measured, with the versions of these packages."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    parts = [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"{os.cpu_count()} cores",
        processor[1] if processor else platform.machine(),
        f"load average {os.getloadavg()[0]:.1f} at the start",
        f"Python {platform.python_version()}",
        *(f"{name} {version(name)}" for name in packages),
    ]
    return " · ".join(parts) + "."
