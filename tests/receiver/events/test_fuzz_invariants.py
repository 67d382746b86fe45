"""What holds for any bytes whatever: the texts of `fuzz/`, and what hypothesis makes of them."""

import gzip
import json
from pathlib import Path

import duckdb
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz import json_texts
from fuzz.invariants import INVARIANTS, LIMITS, STAMP
from landed.ids import landed_message_id
from receiver.events.check import Event, check_event
from receiver.events.shared_fields import NOTHING_SHARED
from receiver.files.envelope import good_line
from receiver.files.recovery import recover

EVENTS = list(dict.fromkeys(json_texts.events()))
SEEDS = [
    *(text.text for text in EVENTS),
    *json_texts.batches(),
    *json_texts.arrays(),
    *json_texts.signatures(),
    gzip.compress(b"{}", mtime=0),
]

unhurried = settings(suppress_health_check=[HealthCheck.too_slow])  # others may be busy beside


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A seed with something taken out, put in or put in another's place."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 8)))
        other = draw(st.sampled_from(SEEDS))
        piece = draw(st.binary(max_size=4) | st.just(other) | st.sampled_from(TOKENS))
        data = data[:start] + piece + data[end:]
    return data


TOKENS = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\u0000",
    b'"type":"track"',
    b"1e5",
    b" ",
]


def landed(item: bytes) -> Event | None:
    checked = check_event(item, NOTHING_SHARED, None, LIMITS)
    return checked if isinstance(checked, Event) else None


@pytest.mark.parametrize("name", INVARIANTS)
def test_it_holds_for_all_seeds(name: str) -> None:
    for data in SEEDS:
        INVARIANTS[name](data)


@pytest.mark.parametrize("name", INVARIANTS)
@unhurried
@given(data=spoiled() | st.binary())
def test_it_holds_for_spoiled_seeds(name: str, data: bytes) -> None:
    INVARIANTS[name](data)


@pytest.mark.parametrize("expected", ["accept", "reject"])
def test_what_the_grammar_allows_lands_and_nothing_else(expected: str) -> None:
    wrong = [
        text.text
        for text in EVENTS
        if text.expected == expected and bool(landed(text.text)) != (expected == "accept")
    ]

    assert wrong == []
    assert len([text for text in EVENTS if text.expected == expected]) > 100


def must_be_read_alike(events: list[Event]) -> None:
    """Fail unless DuckDB, Python and msgspec read the same identity in each landed event."""
    con = duckdb.connect()
    con.execute("create table landed (n int, payload varchar)")
    con.executemany(
        "insert into landed values (?, ?)",
        [(n, event.payload.decode()) for n, event in enumerate(events)],
    )
    rows = con.execute(
        "select n, json_valid(payload), payload::json::varchar = payload,"
        " payload::json->>'messageId', payload::json->>'type' from landed order by n"
    ).fetchall()
    assert len(rows) == len(events)
    for event, (_, is_valid, is_same, message_id, call) in zip(events, rows, strict=True):
        assert (is_valid, is_same) == (True, True), event.payload
        python = json.loads(event.payload, parse_int=str, parse_float=str)
        ours = msgspec.json.decode(event.payload)
        assert python.get("messageId") == ours.get("messageId") == message_id
        assert python.get("type") == ours.get("type") == call == event.call
        is_made_up = event.message_id.startswith("sha256-")
        assert is_made_up or event.message_id == landed_message_id(message_id)


def test_duckdb_python_and_msgspec_read_the_same_in_whatever_lands() -> None:
    events = [event for text in EVENTS if (event := landed(text.text))]

    assert len(events) > 300
    must_be_read_alike(events)


@settings(unhurried, max_examples=10)
@given(st.lists(spoiled(), min_size=20, max_size=60))
def test_duckdb_python_and_msgspec_read_the_same_in_spoiled_seeds_that_land(
    seeds: list[bytes],
) -> None:
    events = [event for seed in seeds if (event := landed(seed.strip(b" \t\r\n")))]

    if events:
        must_be_read_alike(events)


def test_recovery_reads_what_the_envelope_writes(tmp_path: Path) -> None:
    events = [event for text in EVENTS if (event := landed(text.text))]
    lines = [good_line(one.message_id, STAMP, one.sent_at, "web", one.payload) for one in events]
    (tmp_path / "track").mkdir()
    (tmp_path / "track" / "a.ndjson.open").write_bytes(b"".join(lines) + lines[-1][:-3])

    (outcome,) = recover(tmp_path)

    assert (outcome.kept, outcome.torn) == (sum(map(len, lines)), len(lines[-1]) - 3)
    assert (tmp_path / "track" / "a.ndjson").read_bytes() == b"".join(lines)
