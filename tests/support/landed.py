"""Writing landed files by hand, from landing/README.md alone and without the receiver's code."""

import base64
import itertools
import json
import os
from pathlib import Path
from zlib import crc32

_number = itertools.count()


def line(
    payload: object,
    *,
    message_id: str | None = None,
    received_at: str = "2026-11-22T05:24:46.123456Z",
    sent_at: str | None = None,
    source: str = "web",
    credential: str | None = None,
) -> bytes:
    """One landed line. `payload` is an event, or its JSON text."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    if message_id is None:
        message_id = json.loads(text)["messageId"]
    return sealed(
        f',"message_id":{json.dumps(message_id)},"received_at":"{received_at}"'
        f',"sent_at":{json.dumps(sent_at)},"source":{json.dumps(source)}{_sent_by(credential)}'
        f',"payload":{text}}}'
    )


def rejected_line(
    body: bytes,
    *,
    reason: str = "bad_json",
    call: str | None = None,
    received_at: str = "2026-11-22T05:24:46.123456Z",
    credential: str | None = None,
) -> bytes:
    """One line of `rejected/`."""
    return sealed(
        f',"message_id":null,"received_at":"{received_at}","sent_at":null'
        f',"source":"web"{_sent_by(credential)},"call":{json.dumps(call)},"reason":"{reason}"'
        f',"body":"{base64.b64encode(body).decode()}"}}'
    )


def _sent_by(credential: str | None) -> str:
    return f',"credential":{json.dumps(credential)}' if credential else ""


def sealed(covered: str) -> bytes:
    """A line from what its checksum covers."""
    data = covered.encode()
    return b'{"v":1,"crc":"%08x"' % crc32(data) + data + b"\n"


def land(landing: Path, call: str, *lines: bytes, name: str | None = None) -> Path:
    """A sealed file of such lines, for its owner alone as the receiver leaves it."""
    folder = landing / call
    for each in (landing, folder):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    # with the process in it: a house that another process has begun may get more
    name = name or f"20261122T052446123456Z-test-1-{os.getpid():08x}-{next(_number):06d}.ndjson"
    path = folder / name
    path.touch(0o600)
    path.write_bytes(b"".join(lines))
    return path
