"""What one source has sent without end costs the next load of another little."""

import time
from pathlib import Path
from typing import Any

import pytest

from orchestration.loading.load import load
from orchestration.models.run import run_models
from orchestration.settings import Settings
from tests.support import landed
from tests.support.house import House
from tests.support.macros import macros
from tests.support.warehouse import reading

OF_TRACK = (
    *("stg_segment__track", "track", "tracks"),
    *("event_relation", "child_table", "field", "conflict"),
)


class Column:
    """What dbt asks of a column, counting how often its name is."""

    asked = 0

    def __init__(self, name: str, kind: str) -> None:
        """Of a type by its name; a double fits wherever it goes."""
        self._name = name
        self.expanded_data_type = kind

    @property
    def name(self) -> str:
        """The name."""
        type(self).asked += 1
        return self._name

    def can_expand_to(self, other_column: "Column") -> bool:
        """Whether it fits another."""
        return other_column is not self and self.expanded_data_type == "double"


def test_each_column_of_a_table_is_compared_with_its_own_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Column, "asked", 0)
    there = [Column(f"c{n}", "bigint") for n in range(300)]
    new = [Column(f"c{n}", "varchar" if n == 7 else "bigint") for n in range(301)]
    new[8] = Column("c8", "double")

    changed = macros()["duckdb__diff_column_data_types"](new, there)

    assert changed == [{"column_name": "c7", "new_type": "varchar"}]
    assert Column.asked <= 5 * len(new)


def send(settings: Settings, *events: dict[str, Any], source: str = "web") -> None:
    lines = (
        landed.line(event, message_id=str(event["messageId"]), source=source) for event in events
    )
    landed.land(settings.landing, "track", *lines)
    load(settings)


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_after_names_without_end_of_a_bounded_source_a_load_and_its_models_take_what_they_took(
    own_house: House, prepared_house: Path
) -> None:
    settings = own_house.move_in(prepared_house).settings
    settings.columns.write_text("sources: {junk: {max_columns: 150, max_events: 100}}\n")
    own_house.dbt("run", "--full-refresh")
    number = iter(range(1_000))

    def seconds_of_one(**properties: Any) -> float:
        event = {"messageId": f"m{next(number)}", "event": "Bought", "properties": properties}
        began = time.process_time()
        send(settings, event)
        results = run_models(settings, OF_TRACK)
        assert {result.status for result in results} == {"success"}
        return time.process_time() - began

    seconds_of_one(price=1)
    before = min(seconds_of_one(price=1) for _ in range(4))
    bag = {f"p{n}": n for n in range(1_000)}
    junk = [
        {"messageId": f"j{n}", "event": f"E{n}", "properties": bag if n < 50 else {}}
        for n in range(1_000)
    ]
    send(settings, *junk, source="junk")
    seconds_of_one(honest=1)

    with reading(settings) as con:
        assert con.execute("select max(properties__honest) from segment.track").fetchone() == (1,)
        assert con.execute("select count(*) from segment_warehouse.event_relation").fetchone() == (
            101,
        )
    assert min(seconds_of_one(price=1) for _ in range(4)) <= 1.5 * before
