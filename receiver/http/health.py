"""Health: am I up, and can I land an event?"""

import time
from functools import partial

from flask import Blueprint, Response

from receiver.files.disk import probe_problem
from receiver.http.answers import failure, success
from receiver.server.native_threads import run_native
from receiver.state import current_receiver

_PROBE_HOLDS_FOR = 1.0

bp = Blueprint("health", __name__, url_prefix="/health")


@bp.get("/live")
def live() -> Response:
    """Answer: the process is up."""
    return success()


@bp.get("/ready")
def ready() -> Response:
    """Answer whether an event sent now could be landed, and what an operator should look at."""
    receiver = current_receiver()
    problem = receiver.committer.refusal() or _probe.problem()
    if problem:
        return failure(503, problem, "Events cannot be landed now.")
    receiver.live_sources.current()
    # No reason to send the senders elsewhere: those who could send before still can.
    return success(warning="sources_not_read") if receiver.live_sources.problem else success()


class _Probe:
    """The last try to write to the landing folder; asking often does not write often."""

    def __init__(self) -> None:
        self._tried = float("-inf")
        self._problem: str | None = None

    def problem(self) -> str | None:
        if time.monotonic() >= self._tried + _PROBE_HOLDS_FOR:
            settings = current_receiver().settings
            self._tried = time.monotonic()
            reserve = 0 if settings.landing_direct else settings.reserve_bytes
            self._problem = run_native(partial(probe_problem, settings.landing, reserve))
        return self._problem


_probe = _Probe()
