"""Taking the rows in `erased` out of the warehouse, in one transaction with all that counts them.

Files of the lake that hold erased rows, or rows that were deleted some time before, are written
anew without them: a row that is only marked as deleted is still in its file.
"""

from datetime import datetime

import duckdb
import pyarrow as pa

from landed.folders import CALLS, REJECTED
from orchestration.audit import completeness
from orchestration.erasure.loaded_files import Bytes
from orchestration.loading.insert import HOUR, IS_RETRY, highest_load
from orchestration.models.first_copy import place
from orchestration.settings import Settings
from orchestration.warehouse.catalog import DATABASE, columns_of, full_name, now, tables
from orchestration.warehouse.raw_tables import WITH_TABLE
from orchestration.warehouse.rewrite import hides_files, write_anew

_GONE = "(file, line) in (select (file, line) from erased where table_name = '{table}')"


def erase_rows(con: duckdb.DuckDBPyConnection, settings: Settings, files: dict[str, Bytes]) -> None:
    """Take everything in `erased` out of the raw and the final tables; in an open transaction.

    Args:
        con: The warehouse.
        settings: Where the landing folder is.
        files: What the landed files are that they came in, by `<call>/<name>`.
    """
    last = highest_load(con)
    hours = _hours(con)
    erased = {
        table for (table,) in con.execute("select distinct table_name from erased").fetchall()
    }
    deleted = _with_deleted_rows(con)
    _erase_from_final_tables(con, settings, erased, deleted)
    for table in (*CALLS, REJECTED):
        if table in erased or ("raw", table) in deleted:
            _erase_from(con, "raw", table, _GONE.format(table=table))
    write_others_anew(con, settings)
    _update_ledger(con, files)
    _update_counts(con)
    if highest_load(con) < last:
        con.execute("insert into raw.restored values ($1, timezone('UTC', now()), 0, 0)", [last])
    completeness.count_here(con, settings, completeness.NOTHING, hours)


def _with_deleted_rows(con: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Schema and name of each table with rows that were deleted and are still in its files."""
    rows = con.execute(
        f"""
        select distinct schema_name, table_name from {now("delete_file")}
        join {now("table")} using (table_id) join {now("schema")} using (schema_id)
        """
    ).fetchall()
    return set(rows)


def _erase_from_final_tables(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    erased: set[str],
    deleted: set[tuple[str, str]],
) -> None:
    """Take out rows; where an erased copy stood for a message of others, theirs takes its place.

    Theirs from the loads that the table has seen: the models go on from the highest number in it,
    and one row of a later load would hide all others of that load from them.
    """
    there = tables(con)
    for call in WITH_TABLE:
        if (settings.schema_name, call) not in there:
            continue
        table = f'{settings.schema_name}."{call}"'
        staged = f'{settings.schema_name}_staging."stg_segment__{call}"'
        if call not in erased:
            if (settings.schema_name, call) in deleted:
                _erase_from(con, settings.schema_name, call, "false")
            continue
        gone = f"""
            (_seamline_file, _seamline_line) in (
                select (file, line) from erased where table_name = '{call}'
            )
        """
        con.execute(
            f"""
            create or replace temp table orphaned as
            select arg_min(
                struct_pack(file := _seamline_file, line := _seamline_line),
                {place("copies", columns_of(con, staged))}
            ) as copy
            from {staged} as copies
            anti join (from erased where table_name = '{call}') as gone
                on gone.file = copies._seamline_file and gone.line = copies._seamline_line
            where message_id in (select message_id from {table} where {gone})
                and _seamline_load_id <= (select max(_seamline_load_id) from {table})
            group by message_id
            """
        )
        _erase_from(con, settings.schema_name, call, gone)
        if con.execute("from orphaned limit 1").fetchone():
            _insert_others(con, table, staged)


def _insert_others(con: duckdb.DuckDBPyConnection, table: str, staged: str) -> None:
    common = columns_of(con, table) & columns_of(con, staged)
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in sorted(common))
    con.execute(
        f"""
        insert into {table} by name
        select {names} from {staged}
        where (_seamline_file, _seamline_line) in (select (copy.file, copy.line) from orphaned)
        """
    )


def _erase_from(con: duckdb.DuckDBPyConnection, schema: str, name: str, gone: str) -> None:
    """Write the files of a table anew that have rows which are to go, or have gone before."""
    table = full_name(schema, name)
    deleted = (
        "select data_file from ducklake_list_files($1, $2, schema => $3) "
        "where delete_file is not null"
    )
    place = [DATABASE, name, schema]
    if hides_files(con, table):
        query = f"{deleted} union select 'some' from {table} where {gone}"
        if con.execute(query, place).fetchone():
            write_anew(con, table, None, gone)
        return
    query = f"{deleted} union select distinct filename from {table} where {gone}"
    if paths := [path for (path,) in con.execute(query, place).fetchall()]:
        write_anew(con, table, paths, gone)


def write_others_anew(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Let deleted rows leave the files of tables that have rows of no single event."""
    done = {("raw", table) for table in (*CALLS, REJECTED)}
    done |= {(settings.schema_name, call) for call in WITH_TABLE}
    for schema, name in sorted(_with_deleted_rows(con) - done):
        _erase_from(con, schema, name, "false")


def _update_ledger(con: duckdb.DuckDBPyConnection, files: dict[str, Bytes]) -> None:
    """Note what the files are now, and how many rows and rejects of each are left.

    A record that was rejected and became an event later counts in two lines of the ledger: as
    rejected in that of its file, and as a row, and one rejected less, in that of its second load.
    """
    con.register(
        "files",
        pa.table(
            {
                "file": pa.array([file.partition("/")[2] for file in files], pa.large_string()),
                "sha256": pa.array([one.sha256 for one in files.values()], pa.string()),
                "bytes": pa.array([one.size for one in files.values()], pa.int64()),
            }
        ),
    )
    con.execute(
        f"""
        create or replace temp table ledger as
        with
        entries as (
            select *, {IS_RETRY} as is_retry from raw.landed_file
            semi join erased using (file)
        ),
        gone as (
            select file, load_id, table_name <> '{REJECTED}' as is_event, count(*) as lines
            from erased group by all
        ),
        changes as (
            select
                file, load_id,
                coalesce(sum(lines) filter (is_row), 0)::bigint as rows,
                coalesce(sum(lines) filter (not is_row), 0)::bigint as rejected
            from (
                select
                    entries.file, entries.load_id, lines,
                    is_event and gone.load_id = entries.load_id as is_row
                from entries join gone using (file)
            )
            group by all
        )
        select
            entries.* replace (
                entries.rows - changes.rows as rows,
                entries.rejected + if(is_retry, changes.rows, -changes.rejected) as rejected,
                coalesce(files.sha256, entries.sha256) as sha256,
                if(is_retry, 0, coalesce(files.bytes, entries.bytes)) as bytes
            )
        from entries
        join changes on entries.file = changes.file and entries.load_id = changes.load_id
        left join files on entries.file = files.file
        """
    )
    con.unregister("files")
    con.execute("delete from raw.landed_file where file in (select file from ledger)")
    con.execute(
        """
        insert into raw.landed_file by name
        select * exclude (is_retry) from ledger where not (is_retry and rows = 0)
        """
    )


def _update_counts(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        create or replace temp table counts as
        select load_id, call, source, hour, sum(lines)::bigint as lines
        from (
            select load_id, call, source, hour, lines from raw.landed_count
            union all by name
            select load_id, call, source, hour, -1 as lines from erased
        )
        where load_id in (select load_id from erased)
        group by all
        having sum(lines) <> 0
        """
    )
    con.execute("delete from raw.landed_count where load_id in (select load_id from erased)")
    con.execute("insert into raw.landed_count by name from counts order by all")


def _hours(con: duckdb.DuckDBPyConnection) -> set[datetime]:
    """The hours to count again: of what goes, and of other copies of the same messages."""
    copies = [
        f"""
        select {HOUR} from raw."{call}"
        where message_id in (select message_id from erased where table_name = '{call}')
        """
        for call in WITH_TABLE
    ]
    rows = con.execute(" union ".join(["select hour from erased", *copies])).fetchall()
    return {hour for (hour,) in rows}
