"""Segment's own SDKs for JavaScript: Node's, and analytics.js in a real browser."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.processes import eventually
from tests.support.receiver.senders import new_id
from tests.support.receiver.server import RunningReceiver

CLIENTS = Path(__file__).parent / "clients"
UMD = CLIENTS / "node_modules/@segment/analytics-next/dist/umd"


def node_from_20() -> str | None:
    """Return where Node is, if it is new enough for the SDKs."""
    node = shutil.which("node")
    if node is None:
        return None
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True)
    return node if int(version.stdout.lstrip("v").partition(".")[0]) >= 20 else None


NODE = node_from_20()
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = [
    name
    for name, there in {
        "node 20": NODE,
        "chromium": CHROMIUM,
        "clients//node_modules (npm ci)": UMD.exists(),
    }.items()
    if not there
]

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        bool(MISSING),
        reason="LEFT OUT, all tests with Segment's JavaScript SDKs: there is no "
        + ", ".join(MISSING),
    ),
]

CALLS = {"identify", "page", "group", "alias", "screen", "track"}
BATCHING = {"strategy": "batching", "config": {"size": 4, "timeout": 300}}
# Nothing is sent before the page is left.
WAITING = {"strategy": "batching", "config": {"size": 100, "timeout": 60_000}}
KEEPALIVE = {"config": {"keepalive": True}}


def run_node(script: str, order: dict[str, Any], seconds: float = 120) -> Any:
    """Run a script of clients/; return the JSON it prints."""
    done = subprocess.run(
        [str(NODE), CLIENTS / script, json.dumps(order)],
        check=False,
        capture_output=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


class Pages(SimpleHTTPRequestHandler):
    """Serves the pages, and the SDK as it is published, from an origin of their own."""

    def translate_path(self, path: str) -> str:
        """Return the file a path stands for."""
        path = path.partition("?")[0]
        if path.startswith("/umd/"):
            return str(UMD / path.removeprefix("/umd/"))
        return str(CLIENTS / "pages" / path.lstrip("/"))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages))
    thread = Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


class Visited:
    """What pages reported, and what of them has landed."""

    def __init__(self, server: RunningReceiver, pages: str) -> None:
        """Open every page, one after the other."""
        self._server = server
        self._markers: dict[str, str] = {}
        orders = [
            self._order(pages, "one by one", "bundled", {}),
            self._order(pages, "batched", "bundled", BATCHING),
            self._order(pages, "left one by one", "bundled", KEEPALIVE, leave=True),
            self._order(pages, "left batched", "bundled", WAITING, leave=True),
            self._order(pages, "script tag", "snippet"),
            self._order(pages, "no SDK", "plain"),
        ]
        self.reports = run_node("browser.mjs", {"executablePath": CHROMIUM, "pages": orders})

    def _order(
        self,
        pages: str,
        name: str,
        page: str,
        strategy: dict[str, object] | None = None,
        *,
        leave: bool = False,
    ) -> dict[str, object]:
        self._markers[name] = new_id()
        integrations = {"Segment.io": {"deliveryStrategy": strategy}} if strategy else {}
        query = {
            "receiver": self._server.url,
            "writeKey": "web-key",
            "marker": self._markers[name],
            "options": {"integrations": integrations},
        }
        url = f"{pages}/{page}.html?{quote(json.dumps(query))}"
        return {"name": name, "url": url, "leave": leave}

    def landed(self, name: str) -> list[dict[str, Any]]:
        """Return the landed lines of a page."""
        marker = self._markers[name].encode()
        return [json.loads(line) for line in self._server.lines() if marker in line]

    def events(self, name: str) -> list[str]:
        """Return the names of the landed track calls of a page."""
        payloads = [line["payload"] for line in self.landed(name)]
        return [payload["event"] for payload in payloads if "event" in payload]


@pytest.fixture(scope="module")
def visited(server: RunningReceiver, pages: str) -> Visited:
    """All pages are opened by one browser, as it takes seconds to start."""
    return Visited(server, pages)


@pytest.mark.parametrize("page", ["one by one", "batched", "script tag"])
def test_a_page_meets_no_error(visited: Visited, page: str) -> None:
    assert visited.reports[page] == {"report": "sent", "errors": []}


@pytest.mark.parametrize("page", ["one by one", "batched"])
def test_every_call_of_a_browser_lands_once(visited: Visited, page: str) -> None:
    assert eventually(lambda: len(visited.landed(page)) >= len(CALLS))
    lines = visited.landed(page)

    assert sorted(line["payload"]["type"] for line in lines) == sorted(CALLS)
    assert len({line["message_id"] for line in lines}) == len(CALLS)
    assert visited.events(page) == ["Product Viewed"]  # the other one's `integrations` says no


@pytest.mark.parametrize("page", ["one by one", "batched"])
def test_a_browsers_event_has_its_address_and_no_key(visited: Visited, page: str) -> None:
    for line in visited.landed(page):
        context = line["payload"]["context"]
        assert context["library"]["name"] == "analytics.js"
        assert context["ip"] == "127.0.0.1"
        assert line["sent_at"]
        assert "writeKey" not in line["payload"]


@pytest.mark.parametrize("page", ["left one by one", "left batched"])
def test_what_is_sent_when_a_page_is_left_lands(visited: Visited, page: str) -> None:
    assert visited.reports[page] == {"report": "sent", "errors": []}
    expected = {"Product Viewed", "Page Left", "Beacon Sent"}

    assert eventually(lambda: expected <= set(visited.events(page)))
    assert sorted(visited.events(page)) == sorted(expected)


def test_analytics_js_loads_by_a_script_tag(visited: Visited) -> None:
    assert eventually(lambda: len(visited.landed("script tag")) >= 2)
    assert set(visited.events("script tag")) == {"Product Viewed", "Order Completed"}


def test_a_page_without_an_sdk_shows_a_pixel_and_reads_refusals(visited: Visited) -> None:
    report = visited.reports["no SDK"]["report"]

    assert report == {"image": "1x1", "status": 401, "code": "unauthorized"}
    (line,) = visited.landed("no SDK")
    assert line["payload"]["event"] == "Email Opened"


def test_browsers_asked_first_and_were_let(visited: Visited, server: RunningReceiver) -> None:
    assert visited.reports
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    asked = [
        line
        for line in lines
        # the live page, which other tests ask for, is open to no other origin
        if line.get("method") == "OPTIONS" and (line["route"] or "").startswith("/v1/")
    ]

    assert asked
    assert {line["status"] for line in asked} == {200}


@pytest.mark.parametrize("batch", [1, 15])
def test_the_sdk_for_node_is_understood(server: RunningReceiver, batch: int) -> None:
    ids = {call: new_id() for call in sorted(CALLS)}
    events = [
        {"call": call, "messageId": one, "userId": "user-1", "event": "e", "name": "n"}
        | {"groupId": "group-1", "previousId": "user-0"}
        for call, one in ids.items()
    ]
    settings = {"writeKey": "web-key", "host": server.url, "maxEventsInBatch": batch}

    errors = run_node("node_sdk.mjs", {"settings": settings, "events": events})

    assert errors == []
    landed = {call: server.landed(one) for call, one in ids.items()}
    assert {call: len(lines) for call, lines in landed.items()} == dict.fromkeys(CALLS, 1)
    (line,) = landed["track"]
    assert line["payload"]["context"]["library"]["name"] == "@segment/analytics-node"
    assert "ip" not in line["payload"]["context"]  # a server's address says nothing of a user


def test_the_sdk_for_node_hears_that_its_key_is_wrong(server: RunningReceiver) -> None:
    settings = {"writeKey": "no-key", "host": server.url, "maxRetries": 0}
    events = [{"call": "track", "userId": "user-1", "event": "Lost"}]

    errors = run_node("node_sdk.mjs", {"settings": settings, "events": events})

    assert len(errors) == 1
    assert "401" in errors[0]
