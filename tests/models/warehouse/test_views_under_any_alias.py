"""Whatever the lake is called where it is attached, its views can be read."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from landed.settings import ROOT
from orchestration.columns.rules import ColumnRules
from orchestration.columns.update import create_column_tables, update_placement
from orchestration.prepare import has_all_models
from orchestration.settings import Settings
from orchestration.warehouse.catalog import views
from orchestration.warehouse.connection import CONFIG, connect, load_extensions
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House
from tests.support.macros import macros

ALIASES = ["LAKE", "my-lake", "select", 'the "lake".segment', "track"]
PAGE = (ROOT / "docs" / "reading.md").read_text()
SENT = 'seamline.raw."x" and "seamline"."raw"."x"'
"""The name of an event."""


@pytest.fixture(scope="module")
def full_lake(built_house: House) -> House:
    """With a table of an array, a relation of an event, and a view as it was made before."""
    properties = {"products": [{"price": 1}], SENT: 2}
    event = {"messageId": "a", "type": "track", "event": SENT, "properties": properties}
    built_house.land("track", landed.line(event))
    built_house.load()
    with writer_lock(built_house.settings), connect(built_house.settings) as con:
        con.execute("create or replace view segment_staging.stg_segment__track as "
                    "select * from seamline.raw.track")  # fmt: skip
    built_house.dbt("run", "--select", "stg_segment__track+")
    return built_house


@contextmanager
def attached(settings: Settings, alias: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """As docs/reading.md says, but for the alias and the folder."""
    statement = re.findall(r"^attach .*?;$", PAGE, re.DOTALL | re.MULTILINE)[0]
    statement = statement.replace(" as lake ", f" as {quoted(alias)} ")
    statement = statement.replace("warehouse/", f"{settings.catalog.parent}/")
    with duckdb.connect(config=CONFIG) as con:
        load_extensions(con)
        con.execute(statement)
        yield con


def quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def all_views(house: House) -> list[tuple[str, str]]:
    with connect(house.settings, read_only=True) as con:
        return sorted(views(con))


@pytest.mark.any_one
@pytest.mark.parametrize("alias", ALIASES)
def test_every_view_is_read(full_lake: House, alias: str) -> None:
    found = all_views(full_lake)
    assert len(found) == 24
    with attached(full_lake.settings, alias) as con:
        for schema, view in found:
            con.execute(f"select * from {quoted(alias, schema, view)} limit 0")


def test_what_was_sent_stays_what_it_is(full_lake: House) -> None:
    ((relation,),) = full_lake.rows("select relation from columns.event_name")
    ((column,),) = full_lake.rows("select column_name from segment.field where path like '%raw%'")

    with attached(full_lake.settings, "my-lake") as con:
        con.execute('use "my-lake"')
        events = con.execute(f"select event_text from segment_warehouse.{relation}").fetchall()
        values = con.execute(f"select {column} from segment_staging.stg_segment__track").fetchall()

    assert (events, values) == ([(SENT,)], [(2,)])


def test_under_the_name_of_a_schema_duckdb_says_what_is_wrong(full_lake: House) -> None:
    with (
        attached(full_lake.settings, "raw") as con,
        pytest.raises(
            duckdb.BinderException, match='Ambiguous reference to catalog or schema "raw"'
        ),
    ):
        con.execute("select * from raw.segment.field")


def test_a_run_with_nothing_new_leaves_the_views_alone(full_lake: House) -> None:
    before = full_lake.snapshots()

    full_lake.dbt("run", "--select", "stg_segment__track", "field", "tracks", "event_relation")

    assert full_lake.snapshots() == before


@pytest.mark.long
def test_a_start_makes_views_anew_that_have_the_old_name_in_them(
    made_warehouse: Settings, tmp_path: Path
) -> None:
    node = {"resource_type": "model", "schema": "s", "config": {"materialized": "lasting_view"}}
    node |= {"fqn": ["seamline", "staging", "v"]}
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"nodes": {"v": node | {"name": "v", "alias": "v"}}}))
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute("create schema s")
        con.execute("create view s.v as select '{DUCKLAKE_CATALOG}.' as sent from raw.track")
        con.execute("create view s.of_a_user as select * from seamline.raw.track")
        create_column_tables(con)
        update_placement(con, "segment", ColumnRules())
    assert has_all_models(made_warehouse, manifest)

    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute("create or replace view s.v as select * from seamline.raw.track")

    assert not has_all_models(made_warehouse, manifest)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('from "seamline"."raw"."track"', 'from "raw"."track"'),
        ("from seamline.raw.track", "from raw.track"),
        ('from "seamline"."seamline"."t"', 'from "seamline"."t"'),
        ('from "other"."raw"."track"', 'from "other"."raw"."track"'),
        ('as "it\'s ""seamline"".", "seamline"."a"', 'as "it\'s ""seamline"".", "seamline"."a"'),
        ("""'it''s "seamline"."raw"."t"'""", """'it''s "seamline"."raw"."t"'"""),
        ('-- it\'s\nfrom "seamline"."a"."b"', '-- it\'s\nfrom "a"."b"'),
        ('/* it\'s\n */ from "seamline"."a"."b"', '/* it\'s\n */ from "a"."b"'),
        ("from x_seamline.a.b, y.seamline.b", "from x_seamline.a.b, y.seamline.b"),
    ],
)  # fmt: skip
def test_only_the_lakes_name_before_a_table_is_left_out(sql: str, expected: str) -> None:
    assert macros()["without_database"](sql, "seamline") == expected
