"""Live sources: `sources.toml` as it is now, in every worker, without a restart.

Every worker looks at the file's state for itself when a request needs it, a few times a
second at most. What cannot be used leaves the senders as they were.
"""

import time
from pathlib import Path

import structlog

from receiver.errors import StartError
from receiver.files.disk import FileState, state_of
from receiver.senders.advice import log_advice
from receiver.senders.sources import Sources, load_sources

_LOOK_EVERY = 0.25
# A file that is being written may be valid half-way, with senders missing.
_SETTLED_AFTER = 0.5

log = structlog.get_logger()


class LiveSources:
    """All senders, kept up with the file they stand in.

    Attributes:
        problem: why the file as it is now could not be taken over; None if it was.
    """

    def __init__(self, path: Path, sources: Sources) -> None:
        """Start with the senders that were read last.

        Args:
            path: `sources.toml`; read anew the first time, as it may have changed since.
            sources: who may send until then.
        """
        self.problem: str | None = None
        self._path = path
        self._sources = sources
        self._read: FileState | None = None
        self._seen: FileState | None = None
        self._seen_since = 0.0
        self._look_again = 0.0
        self._has_looked = False

    def current(self) -> Sources:
        """Return who may send now."""
        now = time.monotonic()
        if now >= self._look_again:
            self._look_again = now + _LOOK_EVERY
            self._look(now)
        return self._sources

    def _look(self, now: float) -> None:
        state = state_of(self._path)
        if state == self._read or not self._has_settled(state, now):
            return
        self._read = state
        try:
            sources = load_sources(self._path)
        except StartError as error:
            self.problem = str(error)
        else:
            self._take_over(sources, state)
            return
        log.error("sources_not_read", problem=self.problem)

    def _take_over(self, sources: Sources, state: FileState) -> None:
        if state_of(self._path) != state:
            self._read = None  # written to while we read: look again
            return
        # The first look reads what the start has read, and has spoken of.
        if self._has_looked or sources.warnings != self._sources.warnings:
            log_advice(sources.warnings)
        self._has_looked = True
        self._sources, self.problem = sources, None
        log.info("sources_read", sources=sources.names())

    def _has_settled(self, state: FileState, now: float) -> bool:
        """Say whether a file has been the same for long enough, by its own time or by ours."""
        if state != self._seen:
            self._seen, self._seen_since = state, now
        by_its_own = time.time() - state.changed / 1e9 if state.changed else 0
        return max(by_its_own, now - self._seen_since) >= _SETTLED_AFTER
