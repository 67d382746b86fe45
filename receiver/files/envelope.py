"""The format of a landed line, as landing/README.md has it."""

import re
import time
from base64 import b64encode
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from landed.line import COVERED, CRC, HEAD, checksum

_OTHER_VERSION = re.compile(rb'\{"v":(?!1,)\d+,')
_encode = msgspec.json.encode

# JSON allows line breaks between tokens; our lines do not.
_BREAKS_TO_SPACES = bytes.maketrans(b"\r\n", b"  ")


def good_line(
    message_id: str,
    received_at: str,
    sent_at: str | None,
    source: str,
    payload: bytes,
    credential: str | None = None,
) -> bytes:
    """Return the line of an event.

    Args:
        message_id: the event's `messageId`, or the hash that stands for it.
        received_at: one of `received_stamps`.
        sent_at: the sender's `sentAt`, unchecked.
        source: the sender's name.
        payload: the event's bytes, a JSON object that has been checked.
        credential: by what kind of credential it came, if that is known.
    """
    if b"\n" in payload or b"\r" in payload:
        payload = payload.translate(_BREAKS_TO_SPACES)
    return _seal(
        b',"message_id":%b,"received_at":"%b","sent_at":%b%b,"payload":%b}'
        % (
            _encode(message_id),
            received_at.encode(),
            _encode(sent_at),
            _origin(source, credential),
            payload,
        )
    )


def rejected_line(
    received_at: str,
    source: str,
    call: str | None,
    reason: str,
    body: bytes,
    credential: str | None = None,
) -> bytes:
    """Return the line of what cannot be used: its bytes as they came, and why.

    Args:
        received_at: one of `received_stamps`.
        source: the sender's name.
        call: the call it was meant for, as far as it is known.
        reason: one word.
        body: the bytes as received.
        credential: by what kind of credential they came, if that is known.
    """
    return _seal(
        b',"message_id":null,"received_at":"%b","sent_at":null%b,"call":%b,"reason":%b,"body":"%b"}'
        % (
            received_at.encode(),
            _origin(source, credential),
            _encode(call),
            _encode(reason),
            b64encode(body),
        )
    )


def is_whole(line: bytes) -> bool:
    """Say whether a line, with its line break, is one of ours and undamaged."""
    if not (line.startswith(HEAD) and line.endswith(b"}\n")):
        return False
    return line[CRC.stop : COVERED.start] == b'"' and line[CRC] == checksum(line[COVERED][:-1])


def is_of_another_version(line: bytes) -> bool:
    """Say whether a line, with its line break, is whole as far as another version can tell."""
    return line.endswith(b"}\n") and _OTHER_VERSION.match(line) is not None


def received_stamps(micros: int) -> Iterator[str]:
    """Yield the `received_at` of one request's events, a microsecond apart.

    Args:
        micros: when the request was whole, in microseconds since 1970.
    """
    second, start = divmod(micros, 1_000_000)
    while True:
        prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        for rest in range(start, 1_000_000):
            yield f"{prefix}.{rest:06d}Z"
        second, start = second + 1, 0


@lru_cache(1024)
def _origin(source: str, credential: str | None) -> bytes:
    members = (
        {"source": source} if credential is None else {"source": source, "credential": credential}
    )
    return b"," + _encode(members)[1:-1]


def _seal(covered: bytes) -> bytes:
    return b'%b%b"%b\n' % (HEAD, checksum(covered), covered)
