"""What dbt's macros build on, worked out before dbt starts from what was seen and what was said."""

import hashlib
import logging
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.columns.changes import listed_changes
from orchestration.columns.documented import CALLS
from orchestration.columns.moved import move_columns
from orchestration.columns.names import shortened
from orchestration.columns.placement import Bringer, Placed
from orchestration.columns.rules import ColumnRules
from orchestration.columns.seen_events import named_events, seen_elsewhere, seen_in_relations
from orchestration.columns.seen_fields import SeenFields
from orchestration.columns.segment_shape import event_names, shown_columns
from orchestration.columns.widened import drop_emptied, follow_numbers, restore_digits
from orchestration.models.project_vars import PROJECT_FILE
from orchestration.warehouse.catalog import columns_in, tables
from orchestration.warehouse.transaction import transaction

log = logging.getLogger(__name__)

TABLES = {
    "placement": """
        call varchar, place bigint, table_name varchar, path varchar, keys varchar[], type varchar,
        status varchar, column_name varchar, column_type varchar, sibling_name varchar,
        sibling_type varchar, read_as varchar, is_apart boolean, is_declared boolean,
        is_hashed boolean, array_table varchar, array_column varchar, since_load bigint,
        sibling_since_load bigint
    """,
    "event_name": "event varchar, relation varchar",
    "shown_column": """
        place bigint, relation varchar, call varchar, column_name varchar, name varchar,
        type varchar, column_type varchar
    """,
    "column_change": """
        changed_at timestamp, table_name varchar, relation varchar, column_name varchar,
        old_name varchar, old_type varchar, new_type varchar
    """,
    "brought": """
        call varchar, table_name varchar, column_name varchar, source varchar, event varchar
    """,
    "rules": "call varchar, rules varchar, coming varchar, compared varchar",
    "to_fill": "schema_name varchar, call varchar, column_name varchar",
    "placed": "digest varchar",
}


def create_column_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create the tables of the schema `columns` that are missing, empty, and columns that are."""
    con.execute("create schema if not exists columns")
    known = columns_in(con, "columns")
    for table, columns in TABLES.items():
        has = known.get(table)
        if has is None:
            con.execute(f"create table if not exists columns.{table} ({columns})")
        else:
            for column in columns.split(","):
                if column.split()[0] not in has:
                    con.execute(f"alter table columns.{table} add column {column}")
    if "slug" in known.get("event_name", ()):  # of an earlier version; a rebuild would ask whose
        con.execute("alter table columns.event_name drop column slug")


def update_placement(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    rules: ColumnRules,
    of_tables: Mapping[str, ColumnRules] = MappingProxyType({}),
    anew: Collection[str] = (),
) -> list[str]:
    """Rewrite those tables of the schema `columns` in which something changes.

    Args:
        con: The warehouse.
        schema: That of the final tables, whose columns follow.
        rules: What columns.yml says.
        of_tables: Call → the rules its table goes by, if they are others. Relations of events are
            views, and go by what is said now.
        anew: Calls whose tables are about to be exchanged for others. If that fails they go on as
            they are, so nothing of them is changed.

    Returns:
        Columns of an earlier version that are empty, and that views still name.
    """
    digest = _digest_of(con, schema, rules, of_tables)
    if _is_placed(con, digest):
        return []  # most loads bring nothing new, and what there is may be much
    seen = SeenFields(con)
    counted = {call: seen.place(call, of_tables.get(call, rules)) for call in CALLS}
    placements = {call: of_call.placements for call, of_call in counted.items()}
    for call, of_call in counted.items():
        _warn(call, of_call)
    names = event_names(named_events(con, rules))
    shown = shown_columns(
        placements, seen_in_relations(con, names), rules.context_columns, seen_elsewhere(con)
    )
    placed = [
        {"call": call, "place": number} | vars(placement)
        for call, of_call in placements.items()
        for number, placement in enumerate(of_call)
    ]
    brought = [
        {"call": call, "table_name": table, "column_name": column} | bringer._asdict()
        for call, of_call in counted.items()
        for (table, column), bringer in of_call.bringers.items()
    ]
    columns = [{"place": number} | column._asdict() for number, column in enumerate(shown)]
    wanted = {
        table: _rows_of(con, table, rows)
        for table, rows in {
            "placement": placed,
            "event_name": [name._asdict() for name in names],
            "brought": brought,
            "shown_column": columns,
            "placed": [{"digest": digest}],
        }.items()
    }
    # before the placement that they follow: whose process dies in between leaves it to the next
    following = {call: of_call for call, of_call in placements.items() if call not in anew}
    follow_numbers(con, schema, following, _placed_columns(con))
    if not anew:
        restore_digits(con, schema, placements)
    emptied = drop_emptied(con, schema)
    changes = listed_changes(con, wanted["placement"], wanted["shown_column"])
    wanted["column_change"] = _rows_of(con, "column_change", changes)
    with transaction(con):
        move_columns(con, following)
        for table, rows in wanted.items():
            _replace(con, table, rows)
    return emptied


def placed_as(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    rules: ColumnRules,
    of_tables: Mapping[str, ColumnRules],
) -> str | None:
    """Return what stands for the placement as it is; None if `update_placement` would change it."""
    digest = _digest_of(con, schema, rules, of_tables)
    return digest if _is_placed(con, digest) else None


def _digest_of(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    rules: ColumnRules,
    of_tables: Mapping[str, ColumnRules],
) -> str:
    return _digest(con, [rules, *(of_tables.get(call, rules) for call in CALLS)], schema)


def _is_placed(con: duckdb.DuckDBPyConnection, digest: str) -> bool:
    return bool(con.execute("from columns.placed where digest = $1", [digest]).fetchone())


def changes_of(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The changes of columns that a warehouse lists, none if it is of before there were any."""
    if "column_change" not in columns_in(con, "columns"):
        return []
    rows: list[dict[str, Any]] = (
        con.execute("from columns.column_change").to_arrow_table().to_pylist()
    )
    return rows


def take_over_changes(con: duckdb.DuckDBPyConnection, changes: list[dict[str, Any]]) -> None:
    """Let a warehouse that is made anew list what the one before it did."""
    create_column_tables(con)
    with transaction(con):
        _replace(con, "column_change", _rows_of(con, "column_change", changes))


def _warn(call: str, placed: Placed) -> None:
    """Say which fields have no column for want of room, and who has used it."""
    without = {one.path for one in placed.placements if one.status == "too many columns"}
    if not without:
        return
    most = Counter(placed.bringers.values()).most_common(1)
    used = "".join(f" Most were brought by {_whose(who)}: {count}." for who, count in most)
    log.warning(
        "%d fields of %s have no column, as their source, or their event, has brought the table as "
        "many as it may.%s `seamline columns` lists them, and who brought how many; raw.%s has "
        "their values; docs/tables/columns-yml.md says how to free columns or to allow more.",
        *(len(without), call, used, call),
    )


def _whose(bringer: Bringer) -> str:
    """Names that were sent, for a line of a log."""
    return " of ".join(repr(shortened(name)) for name in reversed(bringer) if name is not None)


def _placed_columns(con: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Table and column of all fields, as they were placed before."""
    rows = con.execute(
        "select distinct table_name, column_name from columns.placement where status = 'column'"
    ).fetchall()
    return set(rows)


def is_placed_by_this_version(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether fields are where this version's code places them, as far as they were placed."""
    if ("columns", "placed") not in tables(con):
        return False
    digest = con.execute("select digest from columns.placed").fetchone()
    return digest is not None and str(digest[0]).startswith(_code())


def _digest(con: duckdb.DuckDBPyConnection, rules: Iterable[ColumnRules], schema: str) -> str:
    """What all this is worked out from: what was seen, what is said, by which code and for whom."""
    seen = con.execute(
        """
        select count(*), sum(hash(fact)) from (
            select
                source, call, event, path, type,
                min((first_load_id, first_file, first_line)) as first_place
            from raw.field group by all
        ) as fact
        """
    ).fetchone()
    said = "\n".join(one.model_dump_json() for one in rules)
    rest = hashlib.sha256(f"{seen}\n{said}\n{schema}".encode()).hexdigest()
    return f"{_code()} {rest}"


@cache
def _code() -> str:
    """A hash of what another version may do otherwise, of Python too: it knows more letters."""
    files = [*sorted(Path(__file__).parent.glob("*.py")), PROJECT_FILE]
    code = [file.read_bytes() for file in files]
    return hashlib.sha256(b"".join([*code, unicodedata.unidata_version.encode()])).hexdigest()


def _rows_of(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> pa.Table:
    schema = con.execute(f"from columns.{table} limit 0").to_arrow_table().schema
    return pa.Table.from_pylist(rows, schema)


def _replace(con: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    """Let a table have these rows; one that has them is not written."""
    con.register("wanted", rows)
    names = ", ".join(rows.schema.names)
    changed = con.execute(
        f"""
        (from wanted except select {names} from columns.{table})
        union all
        (select {names} from columns.{table} except from wanted)
        limit 1
        """  # noqa: S608 - names of our own
    ).fetchone()
    if changed:
        con.execute(f"delete from columns.{table}")  # noqa: S608 - as above
        con.execute(f"insert into columns.{table} by name from wanted")
    con.unregister("wanted")
