"""What materializations say of tables: what plots, and nothing that is a person's or runs."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from orchestration.defs import table_metadata
from orchestration.defs.dbt_assets import models
from orchestration.defs.raw_assets import raw_key, raw_tables
from orchestration.defs.table_metadata import as_code, final_metadata, raw_metadata, said_before
from orchestration.warehouse.connection import connect
from tests.support import landed
from tests.support.house import House

NOW = datetime(2026, 11, 22, 5, 24, 56, tzinfo=UTC)


@pytest.fixture(scope="module")
def house(built_house: House) -> House:
    """Two loads of `track`: an event twice and one with a field, then one once more and one new."""
    for second, events in ((46, ("a", "a", "b")), (47, ("b", "c"))):
        lines = [
            landed.line(
                {"event": f"<b>{name}|</b>", "userId": "ann", "properties": {name: 1}},
                message_id=name,
                received_at=f"2026-11-22T05:24:{second}.123456Z",
            )
            for name in events
        ]
        built_house.land("track", *lines)
        built_house.land("rejected", landed.rejected_line(b"{"))
        built_house.load()
        built_house.models("track")
    return built_house


def final(house: House, **before: Any) -> dict[str, Any]:
    with connect(house.settings, read_only=True) as con:
        return final_metadata(con, house.settings, "track", before, NOW)


def test_a_raw_table_says_what_a_load_has_brought(house: House) -> None:
    with connect(house.settings, read_only=True) as con:
        said = raw_metadata(con, "track", [2], NOW)
        rejected = raw_metadata(con, "rejected", [2], NOW)

    assert {
        name: said[name] for name in ("dagster/row_count", "new_rows", "files", "rejected")
    } == {
        "dagster/row_count": 5,
        "new_rows": 2,
        "files": 1,
        "rejected": 0,
    }
    assert said["bytes"] > 100
    assert said["lag_seconds"] == 8.877
    assert (rejected["dagster/row_count"], rejected["new_rows"]) == (2, 1)


def test_a_raw_table_of_which_nothing_was_loaded_says_so(house: House) -> None:
    with connect(house.settings, read_only=True) as con:
        said = raw_metadata(con, "page", [], NOW)

    assert said == {"dagster/row_count": 0, "new_rows": 0, "files": 0, "bytes": 0, "rejected": 0}


def test_a_final_table_says_what_is_new_since_it_was_said_last(house: House) -> None:
    first, second = final(house), final(house, load=1, columns=1)

    assert (first["dagster/row_count"], first["new_rows"], first["duplicates"]) == (3, 3, 2)
    assert (second["new_rows"], second["duplicates"]) == (1, 1)
    assert second["lag_seconds"] == 8.877
    assert second["load"] == 2


def test_columns_are_listed_when_they_are_others_than_before(house: House) -> None:
    first = final(house)
    again = final(house, load=1, columns=first["columns"])

    names = {column.name for column in first["dagster/column_schema"].columns}
    assert {"message_id", "event", "properties__c"} <= names
    assert first["new_columns"] == first["columns"] == len(names)
    assert "dagster/column_schema" not in again
    assert "new_columns" not in again


def test_the_newest_rows_show_no_person_and_run_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rare = final(house)["newest"].value
    monkeypatch.setattr(table_metadata, "OFTEN", 1)
    shown = final(house)["newest"].value

    assert rare.splitlines()[2:] == ["| 2026-11-22 05:24:47 | `web` |  |"]

    assert shown.splitlines()[2:] == [
        "| 2026-11-22 05:24:47 | `web` | `<b>c\N{REPLACEMENT CHARACTER}</b>` |"
    ]
    assert "ann" not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (None, ""),
        ("", ""),
        ("`x` | y\n# z", "`\ufffdx\ufffd \ufffd y\ufffd# z`"),
        ("[a](javascript:alert(1))", "`[a](javascript:alert(1))`"),
        ("x" * 200, f"`{'x' * 60}`"),
    ],
)
def test_what_a_sender_wrote_stays_in_its_cell(text: str | None, shown: str) -> None:
    assert as_code(text) == shown


@pytest.mark.long
def test_a_run_says_it_of_its_tables(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.put_into(monkeypatch)
    house.land("track", landed.line({"event": "E"}, message_id="d"))
    key = dg.AssetKey(["segment", "track"])

    with dg.instance_for_test() as instance:
        result = dg.materialize(
            [raw_tables, models],
            instance=instance,
            selection=[raw_key("track"), key],
            resources={"run_process": None},
        )
        said = said_before(instance, key)
        of_raw = said_before(instance, raw_key("track"))

    assert result.success
    assert (said["dagster/row_count"], said["load"]) == (4, 3)
    assert of_raw["new_rows"] == 1
