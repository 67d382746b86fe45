"""`seamline trace`: where one event is, and why it is not somewhere else."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from landed import not_stored
from orchestration.__main__ import cli
from orchestration.audit.trace import Trace, trace
from orchestration.loading.archive import ExpiredArchive, hours_to_pack, pack_hour
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House

FIRST = "20261122T052446123456Z-web1-1-00000000-000000.ndjson"
SECOND = "20261122T052450123456Z-web1-1-00000000-000001.ndjson"


@pytest.fixture(scope="module")
def house(built_house: House) -> House:
    """Two copies of a track, of which one is the row; a reject; a delete; and what waits."""
    event = {"event": "E", "userId": "ann"}
    sent = '{"to":"ann"}'
    built_house.land("track", landed.line(event, message_id="twice", source="web"), name=FIRST)
    later = "2026-11-22T05:24:50.000000Z"
    built_house.land(
        "track",
        landed.line(event, message_id="other"),
        landed.line(event, message_id="twice", source="app", received_at=later),
        name=SECOND,
    )
    built_house.land("delete", landed.line({"userId": "u-1"}, message_id="order", sent_at=sent))
    built_house.land("rejected", landed.rejected_line(b'{"messageId":"broken", [\xc3\xa9'))
    built_house.land("page", b'{"v":1,"crc":"00000000","message_id":"damaged"}\n')
    built_house.load()
    built_house.models("track")
    built_house.land("track", landed.line(event, message_id="later"))
    built_house.load()
    built_house.land("screen", landed.line({}, message_id="waits", sent_at=sent))
    built_house.land("rejected", landed.rejected_line(b'{"messageId":"waits broken"'))
    return built_house


def said(house: House, message_id: str) -> list[str]:
    return list(trace(house.settings, message_id).lines("segment"))


def test_each_copy_is_told_with_its_place_and_what_became_of_it(house: House) -> None:
    folder = house.landing / "loaded" / "track"
    lines = said(house, "twice")

    assert lines[0] == "track, received 2026-11-22 05:24:46.123456 UTC from web"
    assert lines[1] == f"  {folder / FIRST}, line 1"
    assert lines[2].startswith("  load 1 at 20")
    assert lines[2].endswith(": the row in segment.track")
    assert lines[3] == "track, received 2026-11-22 05:24:50.000000 UTC from app"
    assert lines[4] == f"  {folder / SECOND}, line 2"
    assert lines[5].endswith(f": a copy of the row, which is line 1 of {FIRST}")
    assert len(lines) == 6


@pytest.mark.parametrize(
    ("message_id", "became"),
    [
        ("broken", "rejected, bad_json"),
        ("damaged", "rejected, crc"),
        ("order", "raw.delete, which has no final table"),
        ("later", "not in segment.track yet: its models run next"),
        ("waits", "waits to be loaded"),
        ("waits broken", "waits to be loaded"),
    ],
)
def test_what_has_no_row_is_told_why(house: House, message_id: str, became: str) -> None:
    lines = said(house, message_id)

    assert len(lines) == 3
    assert lines[2].endswith(became)


def test_a_damaged_line_is_where_it_landed(house: House) -> None:
    (copy,) = trace(house.settings, "damaged").copies

    assert Path(copy.place).parent == house.landing / "loaded" / "page"


def test_a_file_that_is_gone_has_expired_or_is_missing(house: House) -> None:
    folder = house.landing / "loaded" / "track"
    away = house.folder / FIRST
    (folder / FIRST).rename(away)
    expired = house.landing / "archive" / "track" / "20261122T05.expired.ndjson"
    expired.parent.mkdir(parents=True)
    try:
        missing = said(house, "twice")[1]
        gone = ExpiredArchive("track/20261122T05.tar.zst", [FIRST], datetime.now(UTC))
        expired.write_bytes(msgspec.json.encode(gone) + b"\n")
        noted = said(house, "twice")[1]
    finally:
        shutil.rmtree(expired.parent)
        away.rename(folder / FIRST)

    assert missing == f"  {FIRST}, which is MISSING: neither loaded nor packed nor expired, line 1"
    assert noted == f"  {FIRST}, which is no more: its archive has expired, line 1"


def test_of_what_was_not_stored_it_says_how_much_there_was(house: House) -> None:
    not_stored.add(house.landing, datetime.now(UTC), {"web": {"shut_out": 3}})

    lines = said(house, "nowhere")

    assert lines[0].startswith("No copy of 'nowhere' is in the files that wait")
    assert "3 shut_out" in lines[1]


def test_nothing_of_what_an_event_says_is_shown(house: House) -> None:
    shown = "".join(
        "\n".join(said(house, message_id)) + repr(trace(house.settings, message_id))
        for message_id in ("twice", "order", "waits")
    )

    assert "ann" not in shown


@pytest.mark.long
def test_an_id_that_would_mean_something_in_sql_or_in_a_pattern_is_an_id(house: House) -> None:
    for message_id in ("' or true --", "%", "\\", '"', "m\0x", "é", "*"):
        assert trace(house.settings, message_id).copies == [], message_id


@pytest.mark.long
def test_a_row_that_is_not_where_it_should_be_is_named(built_house: House) -> None:
    built_house.land("page", landed.line({}, message_id="gone"))
    built_house.land("page", landed.line({}, message_id="there"))
    built_house.load()
    built_house.models("page")
    with writer_lock(built_house.settings), connect(built_house.settings) as con:
        con.execute("delete from segment.page where message_id = 'gone'")

    assert "NOT in segment.page" in said(built_house, "gone")[2]


def test_an_archive_is_named(own_house: House, raw_house: Path) -> None:
    own_house.move_in(raw_house)
    own_house.land("track", landed.line({"event": "E"}, message_id="packed"), name=FIRST)
    own_house.load()
    known = dict(own_house.rows("select file, sha256 from raw.landed_file"))
    ended = datetime(2026, 11, 22, 7, tzinfo=UTC)
    for call, hour, paths in hours_to_pack(own_house.landing, ended):
        pack_hour(own_house.landing, call, hour, paths, known)

    (copy,) = trace(own_house.settings, "packed").copies

    archive = own_house.landing / "archive" / "track" / "20261122T05.tar.zst"
    assert copy.place == f"{FIRST} in {archive}"


def test_before_the_first_load_what_waits_is_found(own_house: House) -> None:
    own_house.land("track", landed.line({}, message_id="first"))

    found = trace(own_house.settings, "first")

    assert [copy.load_id for copy in found.copies] == [None]


def test_the_command_ends_with_1_if_it_is_nowhere(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.put_into(monkeypatch)

    nowhere = CliRunner().invoke(cli, ["trace", "nowhere"])
    there = CliRunner().invoke(cli, ["trace", "twice", "--json"])
    empty = CliRunner().invoke(cli, ["trace", " "])

    assert (nowhere.exit_code, there.exit_code, empty.exit_code) == (1, 0, 2)
    copies = json.loads(there.output)["copies"]
    assert [(copy["source"], copy["is_row"]) for copy in copies] == [("web", True), ("app", False)]


def test_a_trace_of_nothing_is_one() -> None:
    assert len(list(Trace("x").lines("segment"))) == 2
