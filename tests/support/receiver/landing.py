"""How a test talks to a receiver of either kind, and looks at what it has landed."""

import base64
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import httpx

from landed.folders import FOLDERS
from receiver.files.envelope import is_whole
from tests.support.receiver.senders import WEB


def whole_lines(landing: Path, *calls: str, holding: bytes = b"") -> list[bytes]:
    """Return the landed lines of some calls, or of all, that hold some bytes."""
    paths = [path for call in calls or FOLDERS for path in (landing / call).glob("*.ndjson*")]
    lines = []
    for path in paths:
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # sealed since we looked
            data = path.with_suffix("").read_bytes()
        if holding in data:
            found = [line for line in data.splitlines(keepends=True) if holding in line]
            lines += filter(is_whole, found)
    return lines


def payload_of(line: bytes) -> bytes:
    return line[line.index(b',"payload":') + 11 : -2]


def landed_ids(landing: Path) -> set[str]:
    """Return the message ids of all whole lines."""
    return {json.loads(line)["message_id"] for line in whole_lines(landing)}


class Landing(ABC):
    """How a test sends to a receiver, and looks at what has landed.

    Attributes:
        landing: the landing folder.
        log: the file with the log's lines.
        port: which port it listens on, or seems to.
        http: sends any request.
    """

    landing: Path
    log: Path
    port: int
    http: httpx.Client

    @property
    def url(self) -> str:
        """The address of it."""
        return f"http://127.0.0.1:{self.port}"

    def post(self, path: str, content: bytes | str, **arguments: Any) -> httpx.Response:
        """Post with the write key of *web*, unless headers are given."""
        arguments.setdefault("headers", WEB)
        return self.http.post(path, content=content, **arguments)

    def get(self, path: str) -> httpx.Response:
        """Get a page, with no credentials."""
        return self.http.get(path)

    def lines(self, *calls: str, holding: str | bytes = b"") -> list[bytes]:
        """Return the landed lines of some calls, or of all, that hold some text."""
        text = holding.encode() if isinstance(holding, str) else holding
        return whole_lines(self.landing, *calls, holding=text)

    def landed(self, message_id: str) -> list[dict[str, Any]]:
        """Return the landed lines with a message id, parsed."""
        parsed = map(json.loads, self.lines(holding=message_id))
        return [line for line in parsed if line["message_id"] == message_id]

    def rejected(self, marker: bytes) -> list[dict[str, Any]]:
        """Return the rejected lines whose body has a marker in it, parsed, bodies as bytes."""
        found = []
        for line in map(json.loads, self.lines("rejected")):
            body = base64.b64decode(line["body"])
            if marker in body:
                found.append(line | {"body": body})
        return found

    def logged(self, event: str = "request") -> list[dict[str, Any]]:
        """Return the lines of the log about some event, parsed."""
        lines = map(json.loads, self.log.read_text().splitlines())
        return [line for line in lines if line["event"] == event]

    def open_files(self) -> list[Path]:
        """Return the files that are not sealed."""
        return list(self.landing.glob("*/*.open"))

    def sealed_files(self) -> list[Path]:
        """Return the files that wait for the loader."""
        return list(self.landing.glob("*/*.ndjson"))

    @abstractmethod
    def processes(self) -> list[int]:
        """Return the process ids that have to stay the same, whatever is sent."""

    @abstractmethod
    def connect(self, timeout: float = 30) -> Any:
        """Return a connection for one request after the other, as `http.client` has them."""

    @abstractmethod
    def kill(self) -> None:
        """End it."""
