"""Bodies that are held back at some place, in this process, while something else happens."""

import io
from collections.abc import Callable, Mapping
from contextvars import Context

from typing_extensions import Buffer

from tests.support.receiver.app import AppReceiver


class HeldBody(io.BytesIO):
    """A body; behind some bytes, or its first piece, it says that something is to happen, once."""

    happens: Callable[[], object] | None = None
    behind = 1

    def readinto(self, buffer: Buffer, /) -> int:
        """Read a piece."""
        if self.tell() >= self.behind and self.happens:
            happens, self.happens = self.happens, None
            Context().run(happens)  # what is another request's is not this one's
        return super().readinto(buffer)


def post_from(
    app: AppReceiver,
    address: str,
    path: str,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> int:
    """Post from an address; return the status.

    Args:
        app: to whom.
        address: the client's.
        path: where.
        body: what.
        headers: with which headers.
        meanwhile: what happens while all but the body's end has been received.
    """
    stream = HeldBody(body)
    stream.happens, stream.behind = meanwhile, max(1, len(body) - 100_000)
    answer = app.app.test_client().post(
        path,
        input_stream=stream,
        content_length=len(body),
        headers=dict(headers or {}),
        environ_overrides={"REMOTE_ADDR": address},
    )
    return answer.status_code
