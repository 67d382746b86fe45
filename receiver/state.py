"""What one process's application holds, and what is known of the request being handled."""

import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from flask import Flask

from receiver.events.check import Limits
from receiver.events.suppression import LiveSuppression
from receiver.files.committer import Committer
from receiver.files.not_stored import NotStoredCounts
from receiver.http.body_memory import BodyMemory, HeldBody
from receiver.http.paths import Application
from receiver.http.refused_time import RefusedTime, UnauthenticatedTime
from receiver.http.slow_bodies import SlowBodies
from receiver.senders.live_sources import LiveSources
from receiver.senders.quotas import Quotas
from receiver.senders.sources import Credential, Sources
from receiver.server.native_threads import NOBODYS, Turn, compute_as, work_seconds
from receiver.settings import Settings

if TYPE_CHECKING:
    from receiver.server.metrics import Metrics

_KEY = "seamline"


class Receiver(NamedTuple):
    """Everything a request handler needs beyond its request."""

    settings: Settings
    live_sources: LiveSources
    committer: Committer
    metrics: "Metrics"
    not_stored: NotStoredCounts
    suppression: LiveSuppression
    quotas: Quotas
    unauthenticated: UnauthenticatedTime
    damage: RefusedTime
    slow_bodies: SlowBodies
    bodies: BodyMemory
    ended: threading.Event
    """Set once it receives no more."""

    def close(self) -> None:
        """Land what has gathered, seal every file, write what was counted, and leave no thread."""
        self.ended.set()
        self.committer.close()
        self.not_stored.close()

    @property
    def sources(self) -> Sources:
        """Who may send, as `sources.toml` says now."""
        return self.live_sources.current()

    def limits(self, credential: Credential) -> Limits:
        """Return what an event may be that somebody sends with a credential."""
        largest = min(self.settings.event_bytes, credential.scope.event_bytes)
        return Limits(largest, self.settings.depth, credential.may_delete)

    def body_limit(self, credential: Credential) -> int:
        """Return how many bytes a request may have that somebody sends with a credential."""
        return min(self.settings.body_bytes, credential.scope.body_bytes)


def attach(app: Flask, receiver: Receiver) -> None:
    """Give an application its receiver."""
    app.extensions[_KEY] = receiver


def receiver_of(app: Flask) -> Receiver:
    """Return an application's receiver."""
    return cast("Receiver", app.extensions[_KEY])


class Handling:
    """A request that is being handled, as far as it is known.

    Attributes:
        receiver: the application's.
        body: how much of it is held.
        size: how many bytes its body had as it was sent.
        account: on which its costs are counted, once its sender is known.
        damage: the seconds that are counted there.
        log: what its line in the log says of it.
        started: when it began.
    """

    __slots__ = ("account", "body", "damage", "log", "receiver", "size", "started")

    def __init__(self, receiver: Receiver) -> None:
        """Begin, with nothing known."""
        self.receiver = receiver
        self.body = HeldBody(receiver.bodies)
        self.size: int | None = None
        self.account: str | None = None
        self.damage = 0.0
        self.log: dict[str, Any] = {}
        self.started = time.perf_counter()


_handling: ContextVar[Handling | None] = ContextVar("handling", default=None)


def handle_for(receiver: Receiver, application: Application) -> Application:
    """Return an application that handles its requests for a receiver."""

    def handle(environ: dict[str, Any], start_response: Any) -> Any:
        one = Handling(receiver)
        before = _handling.set(one)
        try:
            return application(environ, start_response)
        finally:
            one.body.release()
            compute_as(NOBODYS)
            _handling.reset(before)

    return handle


def current_handling() -> Handling:
    """Return the request being handled."""
    return cast("Handling", _handling.get())


def current_receiver() -> Receiver:
    """Return the receiver of the request being handled."""
    return current_handling().receiver


def charge_to(account: str) -> None:
    """Count on an account what the request being handled costs from now on, if it is refused."""
    one = current_handling()
    one.account = account
    damage = one.receiver.damage
    # Not by what it has cost itself: what has been begun is ended, or it never would be.
    compute_as(Turn(account, lambda: damage.must_have_left(account, but=one.damage)))


def note_damage(seconds: float) -> None:
    """Count the time that a damaged body took, if a request brought it and its sender is known."""
    one = _handling.get()
    if seconds and one and one.account:
        one.damage += seconds
        one.receiver.damage.spend(one.account, seconds)


def charged_seconds() -> float:
    """Return what the request being handled has cost its sender so far."""
    return current_handling().damage


def uncharged_seconds() -> float:
    """Return a clock of the work for the request being handled, without what is counted already."""
    return work_seconds() - charged_seconds()
