"""Segment's own SDK for Python, in each of its ways to send."""

import json

import pytest
from segment import analytics
from segment.analytics.client import Client

from tests.support.docs.pages import BY_NAME
from tests.support.receiver.senders import new_id
from tests.support.receiver.server import RunningReceiver


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("sync_mode", [False, True], ids=["queued", "at once"])
def test_every_call_of_the_sdk_for_python_lands(
    server: RunningReceiver, sync_mode: bool, gzip: bool
) -> None:
    errors: list[object] = []
    client = Client(
        "web-key",
        host=server.url,
        gzip=gzip,
        sync_mode=sync_mode,
        on_error=lambda *error: errors.append(error),
    )
    ids = {call: new_id() for call in ("track", "identify", "page", "screen", "group", "alias")}

    client.track("user", "Product Viewed", {"price": 9.5}, message_id=ids["track"])
    client.identify("user", {"plan": "free"}, message_id=ids["identify"])
    client.page("user", "Shop", "Home", message_id=ids["page"])
    client.screen("user", "Shop", "Home", message_id=ids["screen"])
    client.group("user", "group", {"size": 3}, message_id=ids["group"])
    client.alias("user", "user-2", message_id=ids["alias"])
    if not sync_mode:
        client.shutdown()

    assert errors == []
    for call, one in ids.items():
        (line,) = server.landed(one)
        assert line["payload"]["type"] == call
        assert line["sent_at"]
        assert "writeKey" not in line["payload"]
        assert "ip" not in line["payload"]["context"]
    assert server.landed(ids["track"])[0]["payload"]["properties"] == {"price": 9.5}


def test_an_event_with_integrations_of_its_own_is_filtered(server: RunningReceiver) -> None:
    client = Client("web-key", host=server.url, sync_mode=True)
    ours, others = new_id(), new_id()

    client.track("user", "e", message_id=ours, integrations={"All": False, "Segment": True})
    client.track("user", "e", message_id=others, integrations={"All": False, "Mixpanel": True})

    assert server.landed(ours)
    assert not server.landed(others)


def test_the_sdk_for_python_hears_that_its_key_is_wrong(server: RunningReceiver) -> None:
    errors: list[tuple[object, object]] = []
    client = Client(
        "no-key", host=server.url, max_retries=0, on_error=lambda *error: errors.append(error)
    )

    client.track("user", "Lost")
    client.shutdown()

    ((error, _),) = errors
    assert "unauthorized" in str(error)


def test_the_program_of_the_readme_sends_an_event(
    server: RunningReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("default_client", "host", "write_key"):
        monkeypatch.setattr(analytics, name, None)
    (program,) = (block.text for block in BY_NAME["README.md"].blocks("python"))
    ours = program.replace("…", "web-key").replace("http://127.0.0.1:8000", server.url)
    sender = new_id()

    exec(compile(ours.replace("user-1", sender), "README.md", "exec"), {})  # noqa: S102 - our page
    analytics.shutdown()

    (line,) = map(json.loads, server.lines(holding=sender))
    assert line["payload"]["properties"] == {"revenue": 39.95}
