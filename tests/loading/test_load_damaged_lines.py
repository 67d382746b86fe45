"""A damaged line is kept with its reason and touches no other."""

import pytest

from orchestration.loading.landed_file import is_too_deep
from orchestration.loading.load import load
from orchestration.settings import Settings
from tests.support import landed
from tests.support.warehouse import reading

GOOD = landed.line({"messageId": "good", "type": "track"})
LATER = landed.line({"messageId": "later", "type": "track"})

NO_RECEIPTS = [
    "yesterday",
    "infinity",
    "290000-01-01T00:00:00.000000Z",
    "0000-01-01T00:00:00.000000Z",
    "1969-12-31T23:59:59.999999Z",
    "2262-01-01T00:00:00.000000Z",
    "9999-12-31T23:59:59.999999Z",
    "2026-11-20T10:00:00 Asia/Tokyo",
    "2026-11-20T10:00:00",
    "2026-11-20T10:00:00.123Z",
    "2026-11-20T10:00:00.123456+00:00",
    "2026-02-30T10:00:00.000000Z",
    "2026-11-20T24:00:00.000000Z",
]
"""What is no `received_at` as landing/README.md has it."""

pytestmark = pytest.mark.usefixtures("made_warehouse")


def _flipped(line: bytes, at: int) -> bytes:
    return line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]


@pytest.mark.any_one
@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (_flipped(GOOD, 60), "crc"),
        (_flipped(GOOD, 16), "crc"),
        (b'{"v":2' + GOOD[6:], "unknown_version"),
        (b"\x00" * 512 + b"\n", "no_envelope"),
        (b"anything else\n", "no_envelope"),
        (landed.sealed(',"message_id":"a"}'), "no_payload"),
        (landed.sealed(',"message_id":1,"payload":{}}'), "no_envelope"),
        (landed.line('{"a":' * 20_000 + "1" + "}" * 20_000, message_id="deep"), "too_deep"),
        (landed.line('{"a":NULL}', message_id="json"), "bad_json"),
    ],
)
def test_a_damaged_line_goes_to_rejected_and_its_neighbours_are_loaded(
    settings: Settings, damaged: bytes, reason: str
) -> None:
    path = landed.land(settings.landing, "track", GOOD, damaged, LATER)

    load(settings)

    with reading(settings) as con:
        rows = con.execute("select message_id, line from raw.track order by line").fetchall()
        rejects = con.execute("select reason, call, file, line from raw.rejected").fetchall()
    assert rows == [("good", 1), ("later", 3)]
    assert rejects == [(reason, "track", path.name, 2)]


def test_a_receipt_that_is_not_as_the_receiver_writes_it_is_a_damage(settings: Settings) -> None:
    lines = [landed.line("{}", message_id=when, received_at=when) for when in NO_RECEIPTS]
    landed.land(settings.landing, "track", GOOD, *lines, LATER)

    load(settings)

    with reading(settings) as con:
        rows = con.execute("select message_id from raw.track order by line").fetchall()
        rejects = con.execute(
            "select message_id, received_at, reason from raw.rejected order by line"
        ).fetchall()
    assert rows == [("good",), ("later",)]
    assert rejects == [(when, None, "bad_received_at") for when in NO_RECEIPTS]


@pytest.mark.parametrize(
    "payload",
    [
        '{"x": NaN, "y": 1234567890123456789}',
        '{"x": -Infinity, "z": [1, "b", {}]}',
        '{"x": 1e400, "y": 1234567890123456789}',
        '{"x": [1,], "y": 1234567890123456789}',
        '{"x": [1, "a", NaN]}',
        '{"x": [1, "a", 1e400]}',
        '{"x": [1, "a"], "y": %s}' % ("9" * 5_000),
    ],
)
def test_what_duckdb_takes_for_json_and_others_do_not_stops_no_load(
    settings: Settings, payload: str
) -> None:
    landed.land(settings.landing, "track", GOOD, landed.line(payload, message_id="odd"), LATER)

    load(settings)

    with reading(settings) as con:
        rows = con.execute("select message_id from raw.track order by line").fetchall()
        fields = con.execute("select distinct path from raw.field where call = 'track'").fetchall()
    assert {("good",), ("later",)} <= set(rows)
    assert ("type",) in fields


def test_the_receipt_of_one_line_is_not_moved_by_another(settings: Settings) -> None:
    tokyo = landed.line("{}", message_id="tokyo", received_at="2026-11-20T10:00:00 Asia/Tokyo")
    landed.land(settings.landing, "track", tokyo, landed.line("{}", message_id="next"))

    load(settings)

    with reading(settings) as con:
        rows = con.execute("select message_id, received_at::varchar from raw.track").fetchall()
    assert rows == [("next", "2026-11-22 05:24:46.123456")]


def test_what_the_receiver_rejected_is_a_row_with_its_bytes(settings: Settings) -> None:
    landed.land(settings.landing, "rejected", landed.rejected_line(b"\xff{", reason="not_utf8"))

    loaded = load(settings)

    with reading(settings) as con:
        rows = con.execute("select source, reason, body, received_at from raw.rejected").fetchall()
    assert loaded.rejected == 1
    assert [(source, reason, body) for source, reason, body, _ in rows] == [
        ("web", "not_utf8", b"\xff{")
    ]


def test_an_empty_file_and_one_of_empty_lines_are_loaded_as_nothing(settings: Settings) -> None:
    landed.land(settings.landing, "track")
    landed.land(settings.landing, "track", b"\n\n")

    loaded = load(settings)

    assert (loaded.files, loaded.rows["track"], loaded.rejected) == (2, 0, 0)


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        (b"[" * 128 + b"]" * 128, False),
        (b"[" * 129 + b"]" * 129, True),
        (b"[" * 129, True),
        (b'{"a":"' + b"[" * 500 + b'"}', False),
        (b'{"a\\"[":"' + b"{" * 500 + b'\\\\"}', False),
        (b"[{},{}]" * 200, False),
    ],
)
def test_depth_is_counted_outside_strings(text: bytes, *, deep: bool) -> None:
    assert is_too_deep(text) is deep
