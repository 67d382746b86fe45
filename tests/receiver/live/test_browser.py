"""The live page in a real browser, while a page with Segment's SDK sends."""

import json
import os
from pathlib import Path
from urllib.parse import quote

from tests.receiver.live.test_page import KEY, key_file
from tests.receiver.senders import test_javascript
from tests.receiver.senders.test_javascript import CHROMIUM, run_node
from tests.support.receiver.senders import basic, new_id
from tests.support.receiver.server import RunningReceiver

pytestmark = test_javascript.pytestmark
pages = test_javascript.pages

HOSTILE = '<img src=x onerror="alert(1)"><b>bold</b><script>alert(2)</script>'


def test_a_person_sees_what_a_page_sends(tmp_path: Path, pages: str) -> None:
    server = RunningReceiver(tmp_path, workers=2, live_key=key_file(tmp_path))
    try:
        event = {"messageId": new_id(), "userId": HOSTILE, "event": HOSTILE}
        event["properties"] = {HOSTILE: HOSTILE}  # type: ignore[assignment]
        assert server.post("/v1/track", json.dumps(event)).status_code == 200
        rejected = server.post("/v1/track", b'{"event": "Cut sho', headers=basic("backend-key"))
        assert rejected.status_code == 200
        query = {"receiver": server.url, "writeKey": "web-key", "marker": new_id(), "options": {}}
        order = {
            "executablePath": CHROMIUM,
            "live": f"{server.url}/live",
            "key": KEY,
            "sender": f"{pages}/bundled.html?{quote(json.dumps(query))}",
            "search": "product viewed",
            "picture": os.environ.get("SEAMLINE_TEST_LIVE_PICTURE"),
        }
        report = run_node("live.mjs", order)
    finally:
        server.kill()

    assert report["errors"] == []
    assert {"Product Viewed", "Shop", HOSTILE} <= set(report["all"])
    assert set(report["verdicts"]) == {"landed", "rejected", "not stored"}
    assert report["found"] == ["Product Viewed"]
    assert '"price": 9.5' in report["json"]
    assert json.loads(report["json"])["context"]["library"]["name"] == "analytics.js"
    assert report["markup"] == 0
    assert report["whilePaused"] == 0
    assert not report["overflows"]
