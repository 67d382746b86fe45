"""The final tables on Apache Spark are those of the warehouse: each row, each column, its type."""

import hashlib
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.export.run import export_raw
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.spark import events
from tests.support import spark
from tests.support.house import TABLES, House
from tests.support.spark import Cluster, Dbt

pytestmark = [pytest.mark.scale, pytest.mark.timeout(1800)]

TYPES = {"VARCHAR": "string", "JSON": "string", "BIGINT": "bigint", "DOUBLE": "double"}
TYPES |= {"BOOLEAN": "boolean", "TIMESTAMP": "timestamp_ntz"}
PARTITION = "seamline_received_date"
WIDE = "screen__properties__wide"
IN_WIDE = "screen__properties__wide__zz_last"
"""Of an array that came last of many fields, for which the view of the elements has no room."""


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
        self._take_sequence()
        self.model()
        self.export()

    def model(self) -> None:
        """Bring the tables of the warehouse up to date."""
        models = [name for call in TABLES for name in (f"stg_segment__{call}", call)]
        self.house.dbt("run", "--select", *models, "child_table")

    def _take_sequence(self) -> None:
        """Let a copy be of a year that has none, as earlier versions have loaded some."""
        with writer_lock(self.house.settings), connect(self.house.settings) as con:
            con.execute(
                "update raw.track set received_at = timestamp '2300-01-01' "
                "where message_id = 'no-sequence' and source = 'source-server'"
            )

    def export(self) -> None:
        """Bring the exported tables up to date."""
        settings = Settings(**self.house.settings.model_dump() | {"export_raw": self.raw})
        assert list(export_raw(settings))

    def differences(self, but: Collection[str] = ()) -> list[str]:
        """What is not the same on both, but for some views."""
        views = [name for (name,) in self.house.rows("select name from segment.child_table")]
        assert {*but} <= {*views}
        shown = [name for name in views if name not in but]
        listed = [name for (name,) in self.dbt.sql("select name from segment.child_table")]
        assert sorted(listed) == sorted(map(_on_spark, shown))
        return [found for name in [*TABLES, *shown] for found in self._differences(name)]

    def _differences(self, table: str) -> Iterator[str]:
        described = self.house.rows(f'describe segment."{table}"')
        wanted_types = {name: TYPES[kind] for name, kind, *_ in described}
        wanted = self.house.rows(f'select * from segment."{table}"')
        types, rows = self.dbt.rows(f"segment.`{_on_spark(table)}`")
        if table in TABLES:
            assert types.pop(PARTITION) == "date"
        if table == WIDE:
            assert events.WIDE / 4 < len(types) < len(wanted_types)
            wanted_types = dict(list(wanted_types.items())[: len(types)])
            wanted = [row[: len(types)] for row in wanted]
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


def _on_spark(name: str) -> str:
    """What a view is called that has a name in letters which Spark's names do not have."""
    if name.isascii():
        return name
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return f"{re.sub('[^a-z0-9_]+', '_', name)}_{digest[:12]}_"


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
    """In one go, then with what comes late, is new, or was left by a killed run, then all anew."""
    both.load(events.first())
    assert "screen__properties__wide has more fields" in both.dbt.run()
    assert both.differences(but=[IN_WIDE]) == []
    assert all(both.cluster.executors().values()), "a worker has done nothing"
    before = _files(both.cluster, "track")
    assert {ONLY_ONE, UNTOUCHED} < before.keys()
    texts = str(both.dbt.sql("select * from segment.child_table"))
    assert "env:HOME" in texts
    assert os.environ["HOME"] not in texts

    both.load(events.second())
    _leave_as_a_killed_run_does(both)
    mine = _be_a_user(both)
    said = both.dbt.run()
    assert both.differences(but=[IN_WIDE, *mine]) == []
    assert all(name in said for name in mine)
    for name in mine[:2]:
        assert both.dbt.rows(f"segment.{name}")[0] == {"mine": "int"}, "a user's stays"
    after = _files(both.cluster, "track")
    assert not _files_with(both.cluster, "of a killed run")
    assert after[UNTOUCHED] == before[UNTOUCHED], "an increment writes what it changes alone"
    assert ONLY_ONE not in after, "a day without rows has no files"

    assert _files_with(both.cluster, events.ERASED)
    both.house.run("forget", f"--user-id={events.ERASED}")
    both.model()
    both.export()
    both.dbt.run()
    assert both.differences(but=[IN_WIDE, *mine]) == []
    assert not _files_with(both.cluster, events.ERASED)
    assert not both.dbt.sql("show tables in segment like '_seamline_*'")

    before = _files(both.cluster, "alias")
    both.dbt.run("--full-refresh", "--select", "+alias")
    assert both.differences(but=[IN_WIDE, *mine]) == []
    assert all(_files(both.cluster, "alias")[day] != names for day, names in before.items())


def _leave_as_a_killed_run_does(both: Both) -> None:
    """Half of a table, a new one that is not whole, and files of tables that are no more."""
    both.dbt.sql("alter table segment.alias add columns (gone string)")
    both.dbt.sql("truncate table segment.identify")
    both.dbt.sql("alter table segment.identify unset tblproperties ('seamline.load_id')")
    both.dbt.sql("create table segment._seamline_new_identify (half int) using parquet")
    for table in ("child_table", "`group`"):
        both.dbt.sql(f"drop table segment.{table}")
    for name in ("child_table", "group", "_seamline_new_group"):
        folder = both.cluster.folder / "tables" / "segment.db" / name / "in"
        folder.mkdir(parents=True)
        (folder / "left.parquet").write_bytes(b"of a killed run")


def _be_a_user(both: Both) -> list[str]:
    """Have a table and a view under names of views; return what has no view now."""
    arrays = "screen__properties__taken", "screen__properties__viewed"
    both.dbt.sql(f"drop view segment.{arrays[0]}")
    both.dbt.sql(f"create table segment.{arrays[0]} (mine int) using parquet")
    both.dbt.sql(f"create or replace view segment.{arrays[1]} as select 1 as mine")
    return [*arrays, f"{arrays[0]}__in"]


ONLY_ONE = "2026-11-18"
UNTOUCHED = "2026-11-16"


def _files(cluster: Cluster, table: str) -> dict[str, set[str]]:
    """The days that a table has files of, with their names."""
    folders = (cluster.folder / "tables" / "segment.db" / table).glob(f"{PARTITION}=*")
    files = {one.name.partition("=")[2]: {f.name for f in one.glob("*.parquet")} for one in folders}
    return {day: names for day, names in files.items() if names}


def _files_with(cluster: Cluster, text: str) -> list[Path]:
    """The files of all tables that have a text, left over ones too."""
    files = (file for file in (cluster.folder / "tables").rglob("*") if file.is_file())
    return [file for file in files if text.encode() in file.read_bytes()]
