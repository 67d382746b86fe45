"""Sends batches to the receiver at a rate, as one server of a customer's does."""

import json
import os
import time
import tomllib
from base64 import b64encode
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

SHARES = {"track": 5, "page": 2, "identify": 1, "screen": 1, "group": 1}
"""Of ten events, how many are of which call."""

REQUESTS_A_SECOND = 10


def send(port: int, rate: int, seconds: float) -> dict[str, float]:
    """Send batches at a rate; return when each message was answered."""
    key = tomllib.loads(_sources())["source"][0]["server_keys"][0]
    authorization = "Basic " + b64encode(f"{key}:".encode()).decode()
    headers = {"Authorization": authorization, "Content-Type": "application/json"}
    connection = HTTPConnection("127.0.0.1", port)
    answered: dict[str, float] = {}
    began = time.monotonic()
    for number in range(int(seconds * REQUESTS_A_SECOND)):
        batch = [
            _event(f"{rate}-{int(time.time())}-{number}-{one}", number * 7 + one)
            for one in range(rate // REQUESTS_A_SECOND)
        ]
        time.sleep(max(0.0, began + number / REQUESTS_A_SECOND - time.monotonic()))
        connection.request("POST", "/v1/batch", json.dumps({"batch": batch}), headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:  # noqa: PLR2004 - HTTP's
            raise SystemExit(f"The receiver answered {answer.status}")
        now = time.time()
        answered |= {event["messageId"]: now for event in batch}
    connection.close()
    return answered


def _sources() -> str:
    return Path(os.environ["SEAMLINE_SOURCES"]).read_text()


_CALLS = [call for call, share in SHARES.items() for _ in range(share)]


def _event(message_id: str, number: int) -> dict[str, Any]:
    """An event of 1.1 kB, as the other benchmarks have it."""
    call = _CALLS[number % len(_CALLS)]
    fields = {"plan": "pro", "price": number % 100 / 4, "position": number % 50, "note": "n" * 400}
    return {
        "type": call,
        "messageId": message_id,
        "userId": f"u{number % 500}",
        "anonymousId": f"a{number % 900}",
        "groupId": f"g{number % 20}",
        "event": "Product Viewed",
        "name": "Home",
        "context": {
            "ip": "203.0.113.7",
            "locale": "de-DE",
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0 " * 2,
            "page": {"path": "/products", "url": "https://shop.example.com/products", "title": "P"},
            "library": {"name": "analytics-python", "version": "2.3.3"},
        },
        "traits" if call in {"identify", "group"} else "properties": fields,
    }
