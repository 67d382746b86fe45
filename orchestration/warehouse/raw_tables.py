"""The raw tables: their names, their columns, and how they come to be."""

from collections.abc import Collection, Mapping

import duckdb

from landed.folders import CALLS
from orchestration.loading.field_rows import bound_fields
from orchestration.recovery.long_numbers import list_long_numbers
from orchestration.recovery.nul_rows import replace_nuls
from orchestration.warehouse.catalog import DATABASE, columns_in, options
from orchestration.warehouse.transaction import transaction

WITH_TABLE = tuple(call for call in CALLS if call != "delete")
"""The calls that have a final table: `delete` is an order, not an event to count."""

_EVENT = """
    message_id varchar,
    received_at timestamp,
    sent_at varchar,
    source varchar,
    payload json,
    load_id bigint,
    file varchar,
    line bigint,
    credential varchar
"""

_REJECTED = """
    message_id varchar,
    received_at timestamp,
    sent_at varchar,
    source varchar,
    call varchar,
    reason varchar,
    body blob,
    load_id bigint,
    file varchar,
    line bigint,
    credential varchar
"""

_LEDGER = """
    file varchar,
    call varchar,
    bytes bigint,
    sha256 varchar,
    rows bigint,
    rejected bigint,
    load_id bigint,
    loaded_at timestamp
"""

_COMPLETENESS = """
    call varchar,
    source varchar,
    hour timestamp,
    received bigint,
    loaded bigint,
    rejected bigint,
    waiting bigint,
    rows bigint,
    duplicate bigint,
    counted_at timestamp,
    counted_load_id bigint,
    folded bigint,
    unread_times bigint,
    conflicting bigint
"""

_LOAD = """
    load_id bigint,
    call varchar,
    shown_at timestamp,
    read_seconds double,
    fields_seconds double,
    insert_seconds double,
    commit_seconds double,
    models_seconds double
"""

_FIELD = """
    call varchar,
    event varchar,
    path varchar,
    keys varchar[],
    type varchar,
    count bigint,
    first_seen timestamp,
    last_seen timestamp,
    first_load_id bigint,
    first_file varchar,
    first_line bigint,
    last_load_id bigint,
    source varchar
"""

COLUMNS = {
    **{f'raw."{call}"': _EVENT for call in CALLS},
    "raw.rejected": _REJECTED,
    "raw.landed_file": _LEDGER,
    "raw.landed_count": (
        "load_id bigint, call varchar, source varchar, hour timestamp, lines bigint"
    ),
    "raw.restored": "load_id bigint, restored_at timestamp, files bigint, missing bigint",
    "raw.load": _LOAD,
    "raw.not_stored": "source varchar, hour timestamp, reason varchar, number bigint",
    "raw.completeness": _COMPLETENESS,
    "raw.failing_model": "model varchar, times bigint, failed_at timestamp",
    "raw.erasure": (
        "erased_at timestamp, kind varchar, hash varchar, lines bigint, files bigint, "
        "ordered_by varchar default 'unknown', source varchar, ordered_at timestamp, "
        "credential varchar"
    ),
    "raw.erased_field": _FIELD,
    "raw.field": _FIELD,
    "raw.repair": "repaired_at timestamp, what varchar, rows bigint, fields bigint",
}
"""Quoted table name → its columns. No keys and no indexes: one writer and the ledger hold order."""


def is_current(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the warehouse is of this version: no raw table and no column of one is missing."""
    return not _lacking(columns_in(con, "raw"))


def create_raw_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create the raw tables that are missing, empty, and columns that came with a later version.

    Rows of versions that let NULs in are put right with it, once: `raw.repair` is the mark. So is
    what they listed of fields without end, as it gets its column `source`, and of whole numbers
    that a double does not hold, as `raw.repair` gets its column `fields`.
    """
    known = columns_in(con, "raw")
    if statements := _lacking(known):
        # in one transaction: outside of one, each statement reads the whole catalog
        with transaction(con):
            for statement in ["create schema if not exists raw", *statements]:
                con.execute(statement)
            if not known and ("parquet_compression", "", "") not in options(con):
                con.execute(f"call {DATABASE}.set_option('parquet_compression', 'zstd')")
            if known and "repair" not in known:
                replace_nuls(con)
            if "source" not in known.get("field", {"source"}):
                bound_fields(con)
            if known and "fields" not in known.get("repair", ()):
                list_long_numbers(con)


def _lacking(known: Mapping[str, Collection[str]]) -> list[str]:
    """The statements that make the tables and columns which a warehouse lacks, of those it has."""
    statements = []
    for table, columns in COLUMNS.items():
        has = known.get(table.removeprefix("raw.").strip('"'))
        if has is None:
            statements.append(f"create table {table} ({columns})")
        else:
            lacked = [column for column in columns.split(",") if column.split()[0] not in has]
            statements += [f"alter table {table} add column {column}" for column in lacked]
    return statements
