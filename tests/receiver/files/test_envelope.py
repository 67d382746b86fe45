"""The envelope: one line per event, whole or visibly not."""

import json
import re
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from receiver.files.envelope import good_line, is_whole, received_stamps, rejected_line

STAMP = "2026-11-22T05:24:46.123456Z"
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
OBJECTS = st.dictionaries(TEXT, TEXT | st.integers() | st.none())


@given(TEXT, TEXT | st.none(), OBJECTS, st.sampled_from([None, 1]))
def test_an_event_is_one_whole_line(
    message_id: str, sent_at: str | None, event: dict[str, object], indent: int | None
) -> None:
    payload = json.dumps(event, indent=indent).encode()

    line = good_line(message_id, STAMP, sent_at, "web", payload)

    parsed = json.loads(line)
    assert is_whole(line)
    assert line.count(b"\n") == 1
    assert parsed["payload"] == event
    assert (parsed["message_id"], parsed["sent_at"]) == (message_id, sent_at)
    assert payload.replace(b"\n", b" ") in line


@given(st.binary())
def test_what_is_rejected_is_one_whole_line(body: bytes) -> None:
    assert is_whole(rejected_line(STAMP, "web", None, "bad_json", body))


@given(st.data())
def test_a_changed_or_cut_line_is_not_whole(data: st.DataObject) -> None:
    line = good_line("id", STAMP, None, "web", b'{"a":1}')
    at = data.draw(st.integers(0, len(line) - 1))
    changed = bytearray(line)
    changed[at] ^= data.draw(st.integers(1, 255))

    assert not is_whole(bytes(changed))
    assert not is_whole(line[:at])


def test_a_changed_quote_behind_the_checksum_is_damage() -> None:
    line = good_line("id", STAMP, None, "web", b'{"a":1}')

    assert not is_whole(line[:22] + b"#" + line[23:])


def test_stamps_go_on_over_the_second() -> None:
    assert list(islice(received_stamps(1_795_325_086_999_999), 2)) == [
        "2026-11-22T05:24:46.999999Z",
        "2026-11-22T05:24:47.000000Z",
    ]


def test_the_example_in_the_contract_has_the_right_shape() -> None:
    line = good_line("id", STAMP, None, "web", b"{}")

    assert re.fullmatch(rb'\{"v":1,"crc":"[0-9a-f]{8}"', line[:23])
