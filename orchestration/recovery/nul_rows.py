"""NULs in rows of versions that let them in, which no query could look for.

DuckLake writes what a query looks for into SQL of its own, and a NUL would end that: of a table
with one such row every load and every erasure would fail. No row gets one any more
(`landed_file.without_nul`, dbt_project/macros/payload.sql); those that have one become what they
would be today.
"""

import logging

import duckdb

from orchestration.warehouse.catalog import columns_in, number, quoted, tables, views

log = logging.getLogger(__name__)

_IDS = ("user_id", "anonymous_id", "group_id", "previous_id", "context__group_id")
_AS_ESCAPED = r"replace({}, chr(0), '\u0000')"
_AS_SHOWN = "replace({}, chr(0), chr(65533))"


def replace_nuls(con: duckdb.DuckDBPyConnection) -> None:
    """Take the NULs out of all rows, and note it in `raw.repair`; in an open transaction.

    It reads every payload once. Final tables are those behind a staging view, whatever their
    schema is called.
    """
    staged = views(con)
    rows = 0
    for table, columns in columns_in(con, "raw").items():
        if not {"message_id", "sent_at", "file", "line"} <= columns:
            continue
        rows += _replace_in_raw(con, f'raw."{table}"')
        for schema, name in tables(con):
            if name == table and (f"{schema}_staging", f"stg_segment__{name}") in staged:
                rows += _replace_in_final(con, f'raw."{table}"', f'"{schema}"."{name}"')
    con.execute(
        "insert into raw.repair by name "
        "select timezone('UTC', now()) as repaired_at, 'nul' as what, $1 as rows",
        [rows],
    )
    if rows:
        log.warning("%d rows of an earlier version had a NUL in a text: it was replaced.", rows)


def _replace_in_raw(con: duckdb.DuckDBPyConnection, table: str) -> int:
    return number(
        con,
        f"""
        update {table} set
            message_id = {_AS_ESCAPED.format("message_id")},
            sent_at = {_AS_ESCAPED.format("sent_at")}
        where contains(message_id, chr(0)) or contains(sent_at, chr(0))
        """,  # noqa: S608 - our own words
    )


def _replace_in_final(con: duckdb.DuckDBPyConnection, raw: str, final: str) -> int:
    """Only what came of a payload with an escaped NUL can have one: it tells which rows."""
    values = []
    for name, kind, *_ in con.execute(f"describe {final}").fetchall():
        column = quoted(name)
        if name == "message_id":
            values.append(f"{column} = {_AS_ESCAPED.format(column)}")
        elif name in _IDS and kind == "VARCHAR":
            values.append(f"{column} = {blank_as_null(_AS_SHOWN.format(column))}")
        elif kind == "VARCHAR":
            values.append(f"{column} = {_AS_SHOWN.format(column)}")
        elif kind == "JSON":
            values.append(f"{column} = {in_json(column)}")
    return number(
        con,
        f"update {final} set {', '.join(values)} where (_seamline_file, _seamline_line) in ("  # noqa: S608 - quoted
        rf"select (file, line) from {raw} where contains(payload::varchar, '\u0000'))",
    )


def in_json(json: str) -> str:
    """SQL of JSON without a NUL, as the models' macro `without_nul` and DuckDB's JSON make it."""
    # an escaped backslash in front of `u0000` is none of it: set aside, as no JSON has a chr(1)
    apart = rf"replace(cast({json} as varchar), '\\', chr(1))"
    cleaned = rf"replace({apart}, '\u0000', chr(65533))"
    return rf"cast(replace({cleaned}, chr(1), '\\') as json)"


def blank_as_null(text: str) -> str:
    """SQL of an id, or null if nothing of it can be seen; as the models' macro has it."""
    blank = r"'[\s\p{Z}\p{Cc}\p{Cf}\x{FFFD}]*'"
    return f"case when not regexp_full_match({text}, {blank}) then {text} end"
