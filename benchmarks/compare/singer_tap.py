"""What Stitch's integration would send a Singer target for landed events.

A stream for each call, with `message_id` as its key: first its SCHEMA, of all fields that its
events have, then a RECORD for each copy, in the order in which they were received.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.landed_events import SHARES

_KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}

_TIMES = {"received_at", "originalTimestamp", "receivedAt", "sentAt", "timestamp"}


def write_messages(landing: Path, messages: Path) -> int:
    """Write the messages for all landed files; return how many records there are."""
    records = 0
    with messages.open("w") as file:
        for call in SHARES:
            schema: dict[str, Any] = {}
            for record in _records(landing, call):
                _learn(schema, record)
            if not schema:
                continue
            _say(file, {
                "type": "SCHEMA", "stream": call, "key_properties": ["message_id"],
                "schema": {"type": "object", "properties": _typed(schema)},
            })  # fmt: skip
            for record in _records(landing, call):
                _say(file, {"type": "RECORD", "stream": call, "record": record})
                records += 1
    return records


def _say(file: Any, message: dict[str, Any]) -> None:
    file.write(json.dumps(message, separators=(",", ":")) + "\n")


def _records(landing: Path, call: str) -> Iterator[dict[str, Any]]:
    for path in sorted((landing / call).glob("*.ndjson")):
        with path.open("rb") as file:
            for line in file:
                envelope = json.loads(line)
                known = {name: envelope[name] for name in ("message_id", "received_at", "source")}
                yield known | envelope["payload"]


def _learn(schema: dict[str, Any], record: dict[str, Any]) -> None:
    """Add what a record has to what was seen: objects by their keys, all else by its kinds."""
    for key, value in record.items():
        if isinstance(value, dict):
            _learn(schema.setdefault(key, {}), value)
        elif value is not None:
            kinds = schema.setdefault(key, set())
            kinds.add(_KINDS[type(value)])


def _typed(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: _type(key, seen) for key, seen in schema.items()}


def _type(key: str, seen: dict[str, Any] | set[str]) -> dict[str, Any]:
    if isinstance(seen, dict):
        return {"type": ["null", "object"], "properties": _typed(seen)}
    if seen == {"integer", "number"}:
        seen = {"number"}
    if key in _TIMES:
        return {"type": ["null", "string"], "format": "date-time"}
    return {"type": ["null", *sorted(seen)]}
