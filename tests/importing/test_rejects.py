"""What is imported is checked as what is received; what is no event is kept with its reason."""

from pathlib import Path

import pytest

from orchestration.settings import Settings
from receiver.senders.sources import write_sources
from tests.support.importing import event, events, payloads, rejects, run_import, write
from tests.support.receiver.senders import SOURCES, new_id
from tests.support.receiver.server import RunningReceiver

UNUSABLE = {
    b'{"type":"track"': "bad_json",
    b"message_id,type,user_id": "bad_json",
    b'{"type":"track","a":"\xff"}': "not_utf8",
    b'"track"': "not_object",
    b'{"messageId":"1"}': "no_type",
    b'{"type":"Order Completed"}': "unknown_type",
    b'{"type":"track","type":"page"}': "duplicate_key",
    b'{"type":"track","messageId":7}': "bad_message_id",
    b'{"type":"track","a":' + b"[" * 200 + b"]" * 200 + b"}": "too_deep",
    b'{"type":"track","a":"' + b"x" * 3000 + b'"}': "too_big",
    b'{"batch":7}': "no_batch",
    b'[{"type":"track"}': "bad_json",
}


def test_a_line_that_is_no_event_is_kept_with_its_reason_and_stops_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    good = events("good", len(UNUSABLE))
    mixed = [line for pair in zip(good, UNUSABLE, strict=True) for line in pair]

    result = run_import(write(tmp_path / "mixed.json", mixed), event_bytes=2000)

    assert result.returncode == 0
    assert rejects(settings.landing) == UNUSABLE
    assert payloads(settings.landing) == set(good)
    assert f"{len(UNUSABLE)} rejected" in result.stdout


def test_a_bad_event_costs_its_neighbours_in_an_array_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    good = [event("before"), event("behind")]
    line = b"[%b,{'bad'},%b]" % tuple(good)

    run_import(write(tmp_path / "array.json", [line]))

    assert rejects(settings.landing) == {b"{'bad'}": "bad_json"}
    assert payloads(settings.landing) == set(good)


def test_a_line_longer_than_a_body_is_kept_in_pieces(settings: Settings, tmp_path: Path) -> None:
    long = bytes(range(33, 123)) * 200
    good = [event("before"), event("behind")]

    run_import(write(tmp_path / "long.json", [good[0], long, good[1]]), body_bytes=5000)

    assert set(rejects(settings.landing).values()) == {"too_big"}
    pieces = rejects(settings.landing)
    assert sum(map(len, pieces)) == len(long) + 1
    assert payloads(settings.landing) == set(good)


def test_more_events_in_a_line_than_may_be_are_rejected_as_one(
    settings: Settings, tmp_path: Path
) -> None:
    many = b"[" + b"{}," * 1_000_000 + b"{}]"

    run_import(write(tmp_path / "many.json", [many, event("good")]))

    assert rejects(settings.landing) == {many: "too_many"}
    assert payloads(settings.landing) == {event("good")}


@pytest.mark.parametrize("item", sorted(UNUSABLE)[:8])
def test_the_receiver_has_the_same_reason(
    server: RunningReceiver, settings: Settings, tmp_path: Path, item: bytes
) -> None:
    marked = item + new_id().encode()
    server.post("/webhooks/web", marked)

    run_import(write(tmp_path / "one.json", [marked]))

    (received,) = server.rejected(marked)
    assert rejects(settings.landing) == {marked: received["reason"]}


def test_a_file_orders_no_deletion(settings: Settings, tmp_path: Path) -> None:
    order = event("d", type="delete", userId="somebody")

    run_import(write(tmp_path / "archive.json", [order]))

    assert rejects(settings.landing) == {order: "delete_not_allowed"}


def test_a_key_is_not_in_what_is_rejected(settings: Settings, tmp_path: Path) -> None:
    write_sources(tmp_path / "sources.toml", SOURCES)
    line = b'{"writeKey":"page-key","type":"track",}'

    run_import(write(tmp_path / "broken.json", [line]), sources=tmp_path / "sources.toml")

    assert rejects(settings.landing) == {line.replace(b"page-key", b"*" * 8): "bad_json"}
