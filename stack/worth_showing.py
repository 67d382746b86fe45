"""Which of the lines that the stack's processes print are worth a person's eye.

A load with its counts, a check that fails, a refused credential, and whatever is a warning or an
error. All lines are in the log files (`stack.log_files`).
"""

import json
import re
import time
from collections.abc import Callable

QUIET_SECONDS = 60.0
"""The same thing is said once in so many seconds, with how often it was since."""

# 2026-11-22 05:24:46 +0000 - dagster - ERROR - load - <run> - <process or step> - …
_DAGSTER = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} - dagster(?:\.[\w.]+)? - "
    r"(?P<level>[A-Z]+) - (?P<text>.*)"
)
_RUN = re.compile(r"(?P<job>\w+) - [0-9a-f-]{36} - (?:\d+ - )?(?:(?P<step>\w+) - )?(?P<text>.*)")
_FAILED_CHECK = re.compile(r"ASSET_CHECK_EVALUATION - .*did not pass")
_LOADED = "Loaded "
_FETCHED = "Fetched "
_SAID_FIRST = {"event", "level", "timestamp"}
_BAD = {"WARNING", "ERROR", "CRITICAL"}
_REFUSED = {401: "unknown credentials", 403: "credentials that may not do this"}


class WorthShowing:
    """Chooses lines, and says the same thing once a minute at most."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing said."""
        self._clock = clock
        self._said: dict[str, float] = {}
        self._silent: dict[str, int] = {}

    def of(self, name: str, line: str) -> str | None:
        """Return what is to be shown of a line of a process; None if nothing is."""
        text = _OF.get(name, _of_dagster)(line)
        return None if text is None else self._once(text)

    def _once(self, text: str) -> str | None:
        if text.startswith(_LOADED):
            return text  # each has counts of its own
        now = self._clock()
        if now < self._said.get(text, float("-inf")) + QUIET_SECONDS:
            self._silent[text] = self._silent.get(text, 0) + 1
            return None
        self._said[text] = now
        more = self._silent.pop(text, 0)
        return f"{text} (and {more} more like it since)" if more else text


def _of_receiver(line: str) -> str | None:
    """The receiver's lines are JSON; what is none was said by Python itself, and is an error."""
    try:
        said = json.loads(line)
    except ValueError:
        return line.strip() or None
    if not isinstance(said, dict):
        return line
    status = said.get("status")
    if said.get("event") == "request" and isinstance(status, int):
        if status in _REFUSED:
            return f"a request with {_REFUSED[status]} was answered {status}"
        return f"requests are answered {status}" if status >= 500 else None  # noqa: PLR2004
    if str(said.get("level", "")).upper() not in _BAD:
        return None
    details = {
        key: value for key, value in said.items() if key not in {"event", "level", "timestamp"}
    }
    return " ".join(
        [f"{said.get('level')}: {said['event']}", *(f"{k}={v}" for k, v in details.items())]
    )


def _of_fetch(line: str) -> str | None:
    """What was fetched is told once it is loaded."""
    return None if line.startswith(_FETCHED) else line.strip() or None


_OF = {"receiver": _of_receiver, "fetch": _of_fetch}


def _of_dagster(line: str) -> str | None:
    found = _DAGSTER.fullmatch(line)
    if found is None:
        return None  # dbt's, or what goes on from the line before
    run = _RUN.fullmatch(found["text"])
    text = run["text"] if run else found["text"]
    if run and (text.startswith(_LOADED) or _FAILED_CHECK.search(text)):
        return text.removeprefix("ASSET_CHECK_EVALUATION - ")
    if found["level"] not in _BAD:
        return None
    return f"{run['job']}: {text}" if run else text
