import json
from pathlib import Path

from benchmarks.compare.singer_tap import write_messages
from tests.support import landed


def test_a_stream_is_told_its_fields_and_key_and_then_each_copy(tmp_path: Path) -> None:
    events = [
        {"userId": "u", "properties": {"price": 1, "tags": ["a"]}, "timestamp": "2026-01-05"},
        {"userId": None, "properties": {"price": 1.5, "id": 7}},
        {"userId": 5, "properties": {"id": "x"}},
    ]
    lines = [landed.line(event, message_id=f"m{number}") for number, event in enumerate(events)]
    landed.land(tmp_path, "track", *lines)
    assert write_messages(tmp_path, tmp_path / "messages") == 3
    schema, *records = map(json.loads, (tmp_path / "messages").read_text().splitlines())
    assert (schema["type"], schema["stream"]) == ("SCHEMA", "track")
    assert schema["key_properties"] == ["message_id"]
    of = schema["schema"]["properties"]
    assert of["userId"] == {"type": ["null", "integer", "string"]}
    assert of["timestamp"] == {"type": ["null", "string"], "format": "date-time"}
    assert of["properties"]["properties"] == {
        "price": {"type": ["null", "number"]},
        "tags": {"type": ["null", "array"]},
        "id": {"type": ["null", "integer", "string"]},
    }
    assert [record["record"]["message_id"] for record in records] == ["m0", "m1", "m2"]
    assert records[1]["record"]["properties"] == {"price": 1.5, "id": 7}
