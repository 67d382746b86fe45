"""The final tables on Apache Spark are those of the warehouse: each row, each column, its type."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.export.run import export_raw
from orchestration.settings import Settings
from tests.spark import events
from tests.support import spark
from tests.support.house import TABLES, House
from tests.support.spark import Cluster, Dbt

pytestmark = [pytest.mark.scale, pytest.mark.timeout(1800)]

TYPES = {"VARCHAR": "string", "JSON": "string", "BIGINT": "bigint", "DOUBLE": "double"}
TYPES |= {"BOOLEAN": "boolean", "TIMESTAMP": "timestamp_ntz"}
PARTITION = "seamline_received_date"

Rows = dict[str, dict[Any, dict[str, Any]]]
"""Table → what a row is known by → its values."""


class Both:
    """A warehouse, and the same tables on a cluster."""

    def __init__(self, house: House, cluster: Cluster) -> None:
        """Have nothing in them yet."""
        self.house = house
        self.cluster = cluster
        self.raw = house.folder / "raw-tables"
        self.dbt = Dbt(cluster, self.raw)

    def load(self, load: events.Load) -> None:
        """Bring events into the warehouse, and its raw tables to where Spark reads them."""
        for call, lines in load.lines.items():
            if lines:
                self.house.land(call, *lines)
        self.house.load()
        models = [name for call in TABLES for name in (f"stg_segment__{call}", call)]
        self.house.dbt("run", "--select", *models, "child_table")
        self.export()

    def export(self) -> None:
        """Bring the exported tables up to date."""
        settings = Settings(**self.house.settings.model_dump() | {"export_raw": self.raw})
        assert list(export_raw(settings))

    def names(self) -> list[str]:
        """The tables, and the views of arrays."""
        views = self.house.rows("select name from segment.child_table order by name")
        return [*TABLES, *(name for (name,) in views)]

    def differences(self) -> list[str]:
        """What is not the same on both."""
        return [found for name in self.names() for found in self._differences(name)]

    def _differences(self, table: str) -> Iterator[str]:
        described = self.house.rows(f'describe segment."{table}"')
        wanted_types = {name: TYPES[kind] for name, kind, *_ in described}
        wanted = self.house.rows(f'select * from segment."{table}"')
        types, rows = self.dbt.rows(f"segment.`{table}`")
        if table in TABLES:
            assert types.pop(PARTITION) == "date"
        if types != wanted_types:
            yield f"{table}: types {sorted(set(wanted_types.items()) ^ set(types.items()))}"
            return
        there = _by_key(list(types), rows)
        expected = _by_key(list(wanted_types), wanted)
        assert len(there) == len(rows), f"{table} has rows twice"
        if there.keys() != expected.keys():
            yield f"{table}: rows {sorted(map(str, there.keys() ^ expected.keys()))[:5]}"
        for key in there.keys() & expected.keys():
            for column, value in expected[key].items():
                if repr(there[key][column]) != repr(value):
                    yield f"{table} {key} {column}: {there[key][column]!r:.80} is not {value!r:.80}"


def _by_key(names: list[str], rows: list[tuple[Any, ...]]) -> dict[Any, dict[str, Any]]:
    """Rows by what they are known by: a message, or an element of an array of one."""
    of_an_element = "_sdc_source_key_message_id"
    keys = ["message_id"] if of_an_element not in names else [of_an_element]
    keys += [name for name in names if name.startswith("_sdc_level_")]
    found = {}
    for row in rows:
        values = dict(zip(names, row, strict=False))
        found[tuple(values[key] for key in keys)] = values
    return found


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, prepared_house: Path) -> Iterator[Both]:
    """A cluster, started and stopped here."""
    spark.require()
    house = House(tmp_path_factory.mktemp("spark-house")).move_in(prepared_house)
    with Cluster(tmp_path_factory.mktemp("spark")).running() as cluster:
        made = Both(house, cluster)
        try:
            yield made
        finally:
            made.dbt.stop()


def test_tables_on_spark_are_those_of_the_warehouse(both: Both) -> None:
    """In one go, then with copies that come late and fields that are new, then all anew."""
    both.load(events.first())
    both.dbt.run()
    assert both.differences() == []
    assert all(both.cluster.executors().values()), "a worker has done nothing"
    before = _files(both.cluster, "track")
    assert {ONLY_ONE, UNTOUCHED} < before.keys()

    both.load(events.second())
    both.dbt.run()
    assert both.differences() == []
    after = _files(both.cluster, "track")
    assert after[UNTOUCHED] == before[UNTOUCHED], "an increment writes what it changes alone"
    assert ONLY_ONE not in after, "a day without rows has no files"

    both.dbt.run("--full-refresh", "--select", "+track", "+screen", "child_table")
    assert both.differences() == []
    assert _files(both.cluster, "track")[UNTOUCHED] != before[UNTOUCHED]


ONLY_ONE = "2026-11-18"
UNTOUCHED = "2026-11-16"


def _files(cluster: Cluster, table: str) -> dict[str, set[str]]:
    """The days that a table has files of, with their names."""
    folders = (cluster.folder / "tables" / "segment.db" / table).glob(f"{PARTITION}=*")
    files = {one.name.partition("=")[2]: {f.name for f in one.glob("*.parquet")} for one in folders}
    return {day: names for day, names in files.items() if names}
