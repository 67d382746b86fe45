"""The live page: who is shown it, and what it says of each event."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from receiver.errors import StartError
from receiver.live import recent
from receiver.live.key import read_live_key
from receiver.state import receiver_of
from tests.support.processes import eventually
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.senders import WEB, basic, new_id
from tests.support.receiver.server import RunningReceiver

KEY = "a key that is long enough"
HAS_KEY = basic("anybody", KEY)
ROUTES = ("/live", "/live/live.css", "/live/live.js", "/live/events")


def key_file(folder: Path, text: str = KEY + "\n", mode: int = 0o600) -> Path:
    file = folder / "live.key"
    file.write_text(text)
    file.chmod(mode)
    return file


@pytest.fixture(scope="module")
def live(
    make_apps: Callable[..., AppReceiver], tmp_path_factory: pytest.TempPathFactory
) -> AppReceiver:
    return make_apps(live_key=key_file(tmp_path_factory.mktemp("key")))


def get(receiver: AppReceiver | RunningReceiver, path: str = "/live/events") -> httpx.Response:
    return receiver.http.get(path, headers=HAS_KEY)


def shown(receiver: AppReceiver | RunningReceiver, marker: str) -> list[dict[str, Any]]:
    """Return the events whose JSON has a marker in it."""
    return [event for event in get(receiver).json()["events"] if marker in event["json"]]


def send(receiver: AppReceiver | RunningReceiver, marker: str, **more: object) -> None:
    body = {"messageId": marker, "userId": "u", "event": "Bought", "type": "track"} | more
    assert receiver.post("/v1/track", json.dumps(body)).status_code == 200


@pytest.mark.parametrize("path", ROUTES)
def test_without_a_key_there_is_no_page_on_this_machine_either(app: AppReceiver, path: str) -> None:
    assert app.get(path).status_code == 404
    assert get(app, path).status_code == 404


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        WEB,
        basic("web-key", "web-key"),
        basic("backend-key"),
        basic(KEY),
        basic("x", KEY[:-1]),
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": "Basic ~"},
    ],
)
def test_no_other_credential_shows_it(
    live: AppReceiver, path: str, headers: dict[str, str]
) -> None:
    answer = live.http.get(path, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert live.http.get(f"{path}?key={KEY}").status_code == 401


def test_the_key_is_in_no_log(live: AppReceiver) -> None:
    get(live)
    live.http.get("/live", headers=basic("x", "a wrong key of mine"))

    said = live.log.read_text()
    assert KEY not in said
    assert "a wrong key" not in said
    assert [line["status"] for line in live.logged() if line["route"] == "/live"][-1] == 401


def test_a_live_key_sends_nothing(live: AppReceiver) -> None:
    assert live.post("/v1/track", "{}", headers=basic(KEY)).status_code == 401


def test_wrong_keys_are_charged_as_whatever_is_not_authorized(
    make_app: Callable[..., AppReceiver], tmp_path: Path
) -> None:
    receiver = make_app(live_key=key_file(tmp_path))
    one = receiver_of(receiver.app).unauthenticated
    one._spend("127.0.0.1", 100)  # noqa: SLF001

    assert receiver.http.get("/live", headers=basic("x", "wrong")).status_code == 429
    assert get(receiver, "/live").status_code == 200


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("headers", [{}, HAS_KEY])
def test_nothing_foreign_may_frame_run_or_read_it(
    live: AppReceiver, path: str, headers: dict[str, str]
) -> None:
    answer = live.http.get(path, headers=headers | {"Origin": "https://evil.example"})

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_page_has_no_script_in_it_and_sets_text_only(live: AppReceiver) -> None:
    page, script = get(live, "/live").text, get(live, "/live/live.js").text

    assert page.count("<script") == page.count('<script src="/live/live.js" defer></script>') == 1
    assert "style=" not in page
    assert "HTML(" not in script
    assert ".innerHTML" not in script


def test_a_landed_event_is_shown_as_it_came(live: AppReceiver) -> None:
    marker = new_id()
    body = f'{{"messageId":"{marker}","userId":42,"event":"<b>B</b>","properties":{{"n":1.50}}}}'
    assert live.post("/v1/track", body).status_code == 200

    (event,) = shown(live, marker)
    assert (event["verdict"], event["call"], event["source"]) == ("landed", "track", "web")
    assert (event["event"], event["user_id"]) == ("<b>B</b>", "42")
    assert event["message_id"] == marker
    assert '"n": 1.50' in event["json"]


def test_a_rejected_body_is_shown_with_the_reason_and_without_a_key(live: AppReceiver) -> None:
    marker = new_id()
    assert live.post("/v1/track", f'{{"{marker}":"web-key"').status_code == 200

    (event,) = shown(live, marker)
    assert (event["verdict"], event["reason"]) == ("rejected", "bad_json")
    assert "web-key" not in event["json"]


def test_what_is_not_stored_is_counted_and_shown_no_more(live: AppReceiver) -> None:
    marker = new_id()
    send(live, marker, integrations={"Segment": False})
    receiver_of(live.app).not_stored.write()

    assert shown(live, marker) == []
    (count,) = get(live).json()["not_stored"]
    assert (count["source"], count["reason"], count["number"]) == ("web", "shut_out", 1)


def test_an_erased_line_is_not_shown(live: AppReceiver) -> None:
    marker = new_id()
    send(live, marker)
    assert shown(live, marker)
    for file in live.landing.glob("track/*"):
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(b"\n" if marker.encode() in one else one for one in lines))

    assert shown(live, marker) == []


def test_a_loaded_file_and_one_that_was_moved_meanwhile_are_read(
    live: AppReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = new_id()
    send(live, marker)
    (file,) = [one for one in live.landing.glob("track/*") if marker in one.read_text()]
    found = recent._newest_files(live.landing, "track")  # noqa: SLF001
    loaded = live.landing / "loaded/track" / file.name.removesuffix(".open")
    loaded.parent.mkdir(parents=True)
    loaded.write_bytes(file.read_bytes())
    file.write_bytes(b"")
    try:
        assert shown(live, marker)
    finally:
        file.write_bytes(loaded.read_bytes())
        loaded.unlink()
    gone = [one.with_name(f"gone-{one.name}") for one in found]
    monkeypatch.setattr(recent, "_newest_files", lambda *_: gone)
    assert shown(live, marker) == []


def test_a_loud_source_hides_no_quiet_one(live: AppReceiver) -> None:
    marker = new_id()
    body = json.dumps({"messageId": marker, "userId": "u", "event": "Quiet"})
    assert live.post("/v1/track", body, headers=basic("page-key")).status_code == 200
    batch = [{"type": "track", "userId": "u", "event": f"{marker}-loud"}] * 500
    assert live.post("/v1/batch", json.dumps({"batch": batch})).status_code == 200

    events = shown(live, marker)
    by_source = [event["source"] for event in events]
    assert by_source.count("page") == 1
    assert by_source.count("web") == recent.OF_A_SOURCE


def test_a_large_event_is_cut(live: AppReceiver) -> None:
    marker = new_id()
    send(live, marker, properties={"text": "x" * 500_000})

    (event,) = shown(live, marker)
    assert event["is_cut"]
    assert len(event["json"]) < 300_000


def test_however_large_events_are_an_answer_is_of_a_bounded_size(
    live: AppReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = new_id()
    for number in range(4):
        send(live, f"{marker}{number}", properties={"text": "x" * 3_000})
    monkeypatch.setattr(recent, "_SHOWN_BYTES", 1_001)  # of which the first event leaves nothing

    found = get(live).json()["events"]

    assert [len(event["json"]) for event in found[1:]] == [0] * (len(found) - 1)
    assert len(found[0]["json"]) <= 4 * 1_001


def test_what_was_shown_a_while_ago_is_not_sent_again(live: AppReceiver) -> None:
    send(live, new_id())
    later = "2999-01-01T00:00:00.000000Z"

    answer = live.http.get("/live/events", params={"since": later}, headers=HAS_KEY)

    assert answer.json()["events"] == []


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00.0Z", "9999-12-31T23:59:59.9Z"])
def test_any_time_is_taken(live: AppReceiver, since: str) -> None:
    answer = live.http.get("/live/events", params={"since": since}, headers=HAS_KEY)

    assert answer.status_code == 200


@pytest.mark.parametrize("since", ["", "x", "2026-01-01T00:00:00", "2026-13-01T00:00:00.000000Z"])
def test_a_time_that_is_none_is_refused(live: AppReceiver, since: str) -> None:
    answer = live.http.get("/live/events", params={"since": since}, headers=HAS_KEY)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_since")


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (KEY, 0o640, "chmod 600"),
        ("short", 0o600, "16 characters"),
        ("", 0o600, "one line"),
        (f"{KEY}\n{KEY}", 0o600, "one line"),
    ],
)
def test_a_key_that_is_of_no_use_stops_the_start(
    tmp_path: Path, text: str, mode: int, said: str
) -> None:
    with pytest.raises(StartError, match=said) as refused:
        read_live_key(key_file(tmp_path, text, mode))

    assert KEY not in str(refused.value)


def test_a_key_file_that_is_missing_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="SEAMLINE_LIVE_KEY"):
        read_live_key(tmp_path / "none")


def test_every_worker_shows_what_any_worker_took(tmp_path: Path) -> None:
    server = RunningReceiver(tmp_path, workers=2, live_key=key_file(tmp_path))
    try:
        marker = new_id()
        for number in range(20):
            send(server, f"{marker}-{number}")

        for _ in range(10):  # each on a connection of its own
            assert eventually(lambda: len(shown(server, marker)) == 20)
    finally:
        server.kill()
