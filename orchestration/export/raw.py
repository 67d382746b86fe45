"""The raw tables as Parquet files, for models that run on another engine (Apache Spark).

`raw/<call>/<day>.parquet` has the received copies of a day, `raw/landed_file/` the ledger, and
`columns/` which column each field fills. All is of one moment. `columns/exported`, which is written
last, says of each call up to which load all of it is there: so what reads while an export is on its
way, or after one that died, goes by what is whole.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import duckdb

from orchestration.export.changes import Exported, Part, State
from orchestration.export.parquet import Layout, keep_state, read_state
from orchestration.export.parquet import export as export_parts
from orchestration.export.places import Place
from orchestration.export.snapshot import newest
from orchestration.warehouse.catalog import columns_in, full_name, literal
from orchestration.warehouse.raw_tables import WITH_TABLE

_ALL = "all"

_HASH = "format('{:x}', bit_xor(hash(one))) || format('-{:x}', sum(hash(one) >> 32))"
"""SQL of a hash over all rows `one`, in any order; what they share cancels out of the xor alone."""


def export(
    con: duckdb.DuckDBPyConnection, schema: str, place: Place
) -> Iterator[tuple[str, Exported]]:
    """Bring the files up to date; what was done with each table is yielded.

    Args:
        con: The warehouse.
        schema: The schema of the final tables.
        place: Where the files are.
    """
    con.execute("begin")  # one snapshot for all
    try:
        for call in WITH_TABLE:
            yield call, export_parts(newest(con, "raw", call), place, _copies(call))
        ledger = newest(con, "raw", "landed_file")
        yield "landed_file", export_parts(ledger, place, _LEDGER)
        for name, rows in _whole(con, schema).items():
            yield name, _export_whole(con, rows, place, f"columns/{name}")
    finally:
        con.rollback()


def _copies(call: str) -> Layout:
    return Layout(
        f"raw/{call}",
        "{day}.parquet",
        "received_at",
        "received_at, file, line",
        # as DuckDB writes JSON, so that a number has the same digits for every reader
        "* replace (cast(json(payload) as varchar) as payload)",
        has_all=True,
    )


_LEDGER = Layout(
    "raw/landed_file", "{day}.parquet", "loaded_at", "loaded_at, file", "*", has_all=True
)


def _whole(con: duckdb.DuckDBPyConnection, schema: str) -> dict[str, str]:
    """The small tables, each with its query; the one that says what is whole comes last."""
    return {
        "placement": "select * from columns.placement order by call, place",
        "rules": "select * from columns.rules order by call",
        "exported": _exported(con, schema),
    }


def _exported(con: duckdb.DuckDBPyConnection, schema: str) -> str:
    """SQL of the load up to which each call is there, and of what its rows are made by.

    That load is the last that the call's own table has had: its fields have their columns. Where
    `made_by` has changed, rows that are there have to be made again: columns moved, rules came into
    force, people were erased, the warehouse was made anew. When counts as well as how often: a
    warehouse that is made anew once more has one row in `raw.restored` again.
    """
    there = columns_in(con, schema)
    loads = [
        f"select {literal(call)} as call, {_last_load(schema, call) if call in there else 0}"
        " as load_id"
        for call in WITH_TABLE
    ]
    return f"""
        select
            call, cast(load_id as bigint) as load_id,
            md5(cast(row(
                (select rules from columns.rules where rules.call = loads.call),
                (select max(changed_at) from columns.column_change where table_name = loads.call),
                (select row(count(*), max(erased_at)) from raw.erasure),
                (select row(count(*), max(repaired_at)) from raw.repair),
                (select row(count(*), max(restored_at)) from raw.restored)
            ) as varchar)) as made_by
        from ({" union all ".join(loads)}) as loads
        order by call
    """  # noqa: S608 - quoted


def _last_load(schema: str, call: str) -> str:
    name = full_name(schema, call)
    return f"(select coalesce(max(_seamline_load_id), 0) from {name})"  # noqa: S608 - quoted


def _export_whole(con: duckdb.DuckDBPyConnection, rows: str, place: Place, folder: str) -> Exported:
    state, name = f"{folder}/_seamline.json", f"{folder}/rows.parquet"
    known = read_state(place, state)
    ((count, digest),) = con.execute(
        f"select count(*), {_HASH} from ({rows}) as one"  # noqa: S608 - ours
    ).fetchall()
    part = Part(count, digest or "")
    if known.parts.get(_ALL) == part and name in place.names(folder):
        return Exported(total=count)
    place.fill(name, partial(_copy, con, rows))
    keep_state(place, state, State(parts={_ALL: part}))
    return Exported(rows=count, parts=1, total=count)


def _copy(con: duckdb.DuckDBPyConnection, rows: str, path: Path) -> None:
    con.execute(f"copy ({rows}) to {literal(str(path))} (format parquet, compression zstd)")
