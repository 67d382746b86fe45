"""What one process's application holds: its settings, its senders and its committer."""

from typing import TYPE_CHECKING, NamedTuple, cast

from flask import Flask, current_app, g, has_request_context

from receiver.events.check import Limits
from receiver.events.suppression import LiveSuppression
from receiver.files.committer import Committer
from receiver.files.not_stored import NotStoredCounts
from receiver.http.refused_time import RefusedTime, UnauthenticatedTime
from receiver.http.slow_bodies import SlowBodies
from receiver.senders.live_sources import LiveSources
from receiver.senders.quotas import Quotas
from receiver.senders.sources import Credential, Sources
from receiver.server.native_threads import Turn, work_seconds
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


def charge_to(account: str) -> None:
    """Count on an account what the request being handled costs from now on, if it is refused."""
    damage = current_receiver().damage
    g.account = account
    # Not by what it has cost itself: what has been begun is ended, or it never would be.
    g.turn = Turn(account, lambda: damage.must_have_left(account, but=charged_seconds()))


def note_damage(seconds: float) -> None:
    """Count the time that a damaged body took, if a request brought it and its sender is known."""
    if seconds and has_request_context() and (account := g.get("account")):
        g.damage = charged_seconds() + seconds
        current_receiver().damage.spend(account, seconds)


def charged_seconds() -> float:
    """Return what the request being handled has cost its sender so far."""
    seconds: float = g.get("damage", 0.0)
    return seconds


def uncharged_seconds() -> float:
    """Return a clock of the work for the request being handled, without what is counted already."""
    return work_seconds() - charged_seconds()


def current_receiver() -> Receiver:
    """Return the receiver of the request being handled."""
    return receiver_of(current_app)
