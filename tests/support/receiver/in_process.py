"""The receiver's application without a server: Flask's test client, and what has landed."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.receiver.landing import whole_lines
from tests.support.receiver.senders import WEB


class InProcess:
    """One application and its landing folder."""

    def __init__(self, app: Flask, landing: Path) -> None:
        """Take them."""
        self.app = app
        self.landing = landing
        self._client = app.test_client()

    def send(
        self, path: str, body: bytes = b"", headers: Mapping[str, str] = WEB, method: str = "POST"
    ) -> TestResponse:
        """Send a request; the path may begin with two slashes."""
        path, _, query = path.partition("?")
        return self._client.open(
            method=method,
            data=body,
            headers=dict(headers),
            environ_overrides={"PATH_INFO": path, "QUERY_STRING": query},
        )

    def landed(self, *calls: str) -> list[dict[str, Any]]:
        """Return the landed lines in the order of their receipt, parsed, bodies as bytes."""
        lines = [json.loads(line) for line in whole_lines(self.landing, *calls)]
        for line in lines:
            if "body" in line:
                line["body"] = base64.b64decode(line["body"])
        return sorted(lines, key=lambda line: str(line["received_at"]))

    def ids(self) -> list[str]:
        """Return the message ids of what has landed as events."""
        return [line["message_id"] for line in self.landed() if "payload" in line]
