"""F31, F32: what a file may hold of size, the load and the models take, in bounded memory."""

import json
import random

import pytest

from tests.support import landed
from tests.support.faults.killed_loads import Child
from tests.support.faults.load_children import load_files
from tests.support.faults.report import Report
from tests.support.house import House

pytestmark = pytest.mark.timeout(600)

MB = 1024 * 1024
MOST = 1024 * MB
"""By how much the process may grow for 21 MiB of events."""


def text(size: int) -> str:
    return random.Random(size).randbytes(size // 2).hex()  # noqa: S311


def event(message_id: str, **properties: object) -> dict[str, object]:
    return {"type": "track", "messageId": message_id, "event": "Big", "properties": properties}


def test_a_property_of_1_mib_is_in_the_warehouse_with_every_byte(house: House) -> None:
    sent = event("one of 1 MiB", text=text(MB))
    house.land("track", landed.line(sent))
    house.load()
    house.dbt("run", "--select", "stg_segment__track", "track")

    name = "where message_id = 'one of 1 MiB'"
    assert house.rows(f"select payload::varchar from raw.track {name}") == [(json.dumps(sent),)]
    assert house.rows(f"select properties__text from segment.track {name}") == [(text(MB),)]


@pytest.mark.long
def test_a_property_of_1_mib_and_an_event_of_10_mib_are_rows_with_every_byte(
    house: House, report: Report
) -> None:
    """Larger than the receiver lands by default, as `SEAMLINE_EVENT_BYTES` may be set higher."""
    house.land("track", landed.line(event("small", text="x")))
    small = Child(load_files, house.settings).ends()
    events = {
        "property": event("property", text=text(MB)),
        "event": event("event", **{f"p{n}": text(MB) for n in range(10)}),
        "one value": event("one value", text=text(10 * MB)),
    }
    house.land("track", *map(landed.line, events.values()))
    large = Child(load_files, house.settings).ends()
    house.models("track")

    payloads = dict(house.rows("select message_id, payload::varchar from raw.track"))
    for message_id, sent in events.items():
        assert payloads[message_id] == json.dumps(sent)
    found = dict(house.rows("select message_id, properties__text from segment.track"))
    assert found["property"] == text(MB)
    assert found["one value"] == text(10 * MB)
    ((tenth,),) = house.rows("select properties__p9 from segment.track where message_id = 'event'")
    assert tenth == text(MB)
    assert large - small < MOST
    report.add(
        "F31", "events of 1, 10 and 10 MiB", memory_more=f"{(large - small) // MB} MiB", lost=0
    )
