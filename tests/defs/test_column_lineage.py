"""From which columns a model's come, of our own wide ones and of what a user may write."""

import dagster as dg
import pytest

from orchestration.defs import column_lineage as module
from orchestration.defs.column_lineage import (
    MOST_CHARACTERS,
    MOST_COLUMNS,
    MOST_LEVELS,
    column_lineage,
)
from orchestration.defs.dbt_assets import models
from orchestration.defs.raw_assets import raw_key, raw_tables
from tests.support import landed
from tests.support.house import House

TRACK = dg.AssetKey(["segment", "track"])
PARENTS = {("segment", "track"): ["message_id", "event", "Odd Name", "properties__price"]}


def lineage_of(sql: str, *columns: str) -> dict[str, list[str]] | None:
    found = column_lineage(sql, columns, PARENTS, {("segment", "track"): TRACK}, "seamline")
    return found and {
        name: [dep.column_name for dep in deps] for name, deps in found.deps_by_column.items()
    }


def test_a_column_comes_through_ctes_joins_and_stars() -> None:
    sql = """
        with events as (select * from "seamline"."segment"."track"),
        prices as (select message_id, properties__price * 2 as doubled from events)
        select events.*, prices.doubled as "Price" from events join prices using (message_id)
    """

    assert lineage_of(sql, "message_id", "event", "Odd Name", "Price") == {
        "message_id": ["message_id"],
        "event": ["event"],
        "Odd Name": ["Odd Name"],
        "Price": ["properties__price"],
    }


@pytest.mark.parametrize(
    "sql",
    [
        "this is no SQL",
        "select 1 as message_id",
        "select * from elsewhere.unknown",
        "from (pivot seamline.segment.track on event using count(*))",
    ],
)
def test_what_cannot_be_followed_has_none(sql: str) -> None:
    assert lineage_of(sql, "message_id") is None


def test_of_very_many_columns_none_is_said() -> None:
    many = [f"c{number}" for number in range(MOST_COLUMNS + 1)]

    assert lineage_of('select * from "seamline"."segment"."track"', *many) is None


@pytest.mark.parametrize(
    "expression",
    [" + ".join(["event"] * (MOST_LEVELS + 1)), f"'{'x' * MOST_CHARACTERS}' || event"],
    ids=["deep", "long"],
)
def test_of_very_deep_or_long_sql_none_is_said(expression: str) -> None:
    """It would take minutes, in the run that is to say what the models made."""
    sql = 'select {} as message_id from "seamline"."segment"."track"'

    assert lineage_of(sql.format("event || event"), "message_id") == {"message_id": ["event"]}
    assert lineage_of(sql.format(expression), "message_id") is None


@pytest.mark.parametrize("error", [AssertionError, NotImplementedError, ZeroDivisionError])
def test_whatever_goes_wrong_in_following_the_sql_it_is_only_not_followed(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(module, "lineage", fail)

    assert lineage_of("select message_id from seamline.segment.track", "message_id") is None


@pytest.mark.long
def test_a_run_says_it_while_columns_are_new_and_then_no_more(
    built_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_house.put_into(monkeypatch)
    staging, shown = (
        dg.AssetKey(["segment_staging", "stg_segment__track"]),
        dg.AssetKey(["segment_warehouse", "tracks"]),
    )
    said = []

    with dg.instance_for_test() as instance:
        for message_id in ("a", "b"):
            event = {"event": "E", "properties": {"price": 1}}
            built_house.land("track", landed.line(event, message_id=message_id))
            result = dg.materialize(
                [raw_tables, models],
                instance=instance,
                selection=[raw_key("track"), staging, TRACK, shown],
                resources={"run_process": None},
            )
            assert result.success
            said.append(
                {
                    one.asset_key: one.step_materialization_data.materialization.metadata
                    for one in result.get_asset_materialization_events()
                }
            )
    first, second = said

    deps = first[TRACK]["dagster/column_lineage"].value.deps_by_column
    assert deps["properties__price"] == [dg.TableColumnDep(staging, "properties__price")]
    deps = first[staging]["dagster/column_lineage"].value.deps_by_column
    assert deps["properties__price"] == [dg.TableColumnDep(raw_key("track"), "payload")]
    deps = first[shown]["dagster/column_lineage"].value.deps_by_column
    assert deps["id"] == [dg.TableColumnDep(TRACK, "message_id")]
    columns = first[shown]["dagster/column_schema"].value.columns
    types = {column.name: column.type for column in columns}
    assert types["received_at"] == "timestamp"
    for key in (TRACK, staging, shown):
        assert second[key]["columns"] == first[key]["columns"]
        assert not {"dagster/column_lineage", "dagster/column_schema"} & second[key].keys()
