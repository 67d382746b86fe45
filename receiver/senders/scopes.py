"""Scopes: what each kind of credential is for. docs/senders.md has the same table."""

import sys
from enum import StrEnum, auto
from typing import NamedTuple


class Kind(StrEnum):
    """A kind of credential, by the name of its list in `sources.toml`."""

    BROWSER = "browser_keys"
    SERVER = "server_keys"
    WEBHOOK = "webhook_keys"
    SECRET = "shared_secrets"  # noqa: S105 - its name
    OLD = "write_keys"
    """Of files from before there were kinds: such a key may be anywhere, also in a page."""


PUBLIC = (Kind.BROWSER, Kind.OLD)
"""The kinds that may stand in a page."""


class Endpoint(StrEnum):
    """The ways in that ask for a credential."""

    TRACKING = auto()
    PIXEL = auto()
    SETTINGS = auto()
    WEBHOOKS = auto()


class Scope(NamedTuple):
    """What a kind of credential may do."""

    endpoints: frozenset[Endpoint]
    may_delete: bool = False
    """Whether it may order an erasure, if its source may."""
    event_bytes: int = sys.maxsize
    body_bytes: int = sys.maxsize
    unmeasured_bytes: int = 1 << 20
    """To so much a batch may grow, however small it was sent."""


# Segment's own limits, in the numbers that its SDKs have them in.
_SEGMENTS_EVENT = 32 << 10
_SEGMENTS_REQUEST = 500 << 10

_WEBHOOKS = frozenset({Endpoint.WEBHOOKS})

SCOPES = {
    Kind.BROWSER: Scope(
        frozenset({Endpoint.TRACKING, Endpoint.PIXEL, Endpoint.SETTINGS}),
        event_bytes=_SEGMENTS_EVENT,
        body_bytes=_SEGMENTS_REQUEST,
        unmeasured_bytes=64 << 10,
    ),
    # C#'s SDK, which runs on servers too, asks for the settings.
    Kind.SERVER: Scope(frozenset({Endpoint.TRACKING, Endpoint.SETTINGS})),
    Kind.WEBHOOK: Scope(_WEBHOOKS, may_delete=True),
    Kind.SECRET: Scope(_WEBHOOKS, may_delete=True),
    Kind.OLD: Scope(frozenset(Endpoint)),
}

LANDED_AS = {
    Kind.BROWSER: "browser",
    Kind.SERVER: "server",
    Kind.WEBHOOK: "webhook",
    Kind.SECRET: "webhook",
    Kind.OLD: None,
}
"""What a landed line says of the kind of credential that it came by; nothing of the old one."""
