"""The sources that tests send as, with their keys, and ids for what they send."""

import base64
import uuid

from receiver.senders.sources import Source

SEGMENT_GIVES_UP = 5
"""Seconds until Segment's webhooks take a request for failed: who waits less is not harmed.

The answers come in milliseconds; a machine that is busy with other work may need many times that.
"""
SOURCES = (
    Source("web", write_keys=("web-key", "web-key-two")),
    Source("hooks", write_keys=("hooks-key",)),
    Source("signed", write_keys=("signed-key",), shared_secrets=("new secret", "old secret")),
    Source("page", browser_keys=("page-key",)),
    Source("backend", server_keys=("backend-key",)),
    Source("partner", webhook_keys=("partner-key",), may_delete=True),
    Source(
        "segment",
        webhook_keys=("segment-key",),
        shared_secrets=("segment secret",),
        may_delete=True,
    ),
)
"""The first three as files before there were kinds of keys had them."""


def basic(key: str, password: str = "") -> dict[str, str]:
    """Return the header of Basic authentication with a write key."""
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:{password}".encode()).decode()}


WEB = basic("web-key")


def new_id() -> str:
    """Return a message id nobody else has."""
    return f"test-{uuid.uuid4()}"
