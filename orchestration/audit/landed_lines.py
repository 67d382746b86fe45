"""The lines of landed files held against the raw tables, one by one."""

from typing import NamedTuple

import duckdb
import pyarrow as pa

from landed.folders import CALLS
from orchestration.loading.insert import RECEIVED_AT, events_table, rejects_table
from orchestration.loading.landed_file import Contents


class WrongLine(NamedTuple):
    """A line that is not in the raw tables as it is in its file."""

    folder: str
    file: str
    line: int
    message_id: str | None
    table: str | None
    """The raw table that has it."""
    problem: str


NOT_THE_SAME = "not the same"


def wrong_lines(con: duckdb.DuckDBPyConnection, portion: list[Contents]) -> list[WrongLine]:
    """Hold the lines of some files against what the raw tables have of these files."""
    if not portion:
        return []
    first_load = min(contents.load_id for contents in portion)
    names = [contents.file.name for contents in portion]
    folders = [contents.file.call for contents in portion]
    con.register("files", pa.table({"file": names, "folder": folders}))
    con.register("lines", events_table(portion))
    con.register("rejects", rejects_table(portion))
    con.execute(
        f"""
        create or replace temp table in_raw as
        {" union all by name ".join(_of_files(call, first_load) for call in CALLS)}
        union all by name
        select 'rejected' as kept_in, message_id, received_at, sent_at, source, credential, body,
            file, line
        from raw.rejected semi join files using (file)
        """
    )
    con.execute(
        f"""
        create or replace temp table in_files as
        select message_id, {RECEIVED_AT} as received_at, sent_at, source, credential,
            encode(payload) as body, file, line, true as is_event
        from lines
        union all by name
        select message_id, {RECEIVED_AT} as received_at, sent_at, source, credential, body,
            file, line, false as is_event
        from rejects
        """
    )
    wrong = con.execute(
        f"""
        select
            folder, file, coalesce(in_files.line, in_raw.line) as line,
            coalesce(in_files.message_id, in_raw.message_id) as message_id,
            any_value(in_raw.kept_in),
            case
                when count(in_raw.line) = 0 then 'not in the raw tables'
                when count(in_files.line) = 0 then 'not in the file'
                when count(in_raw.line) > 1 then 'more than once in the raw tables'
                else '{NOT_THE_SAME}'
            end as problem
        from in_files
        full join in_raw using (file, line)
        join files using (file)
        group by all
        having count(in_raw.line) <> 1 or count(in_files.line) <> 1 or bool_or(
            in_files.received_at is distinct from in_raw.received_at
            or in_files.source is distinct from in_raw.source
            or in_files.credential is distinct from in_raw.credential
            or (
                -- a rejected record that became an event later is told by its place alone
                (is_event or in_raw.kept_in = 'rejected')
                and (
                    in_files.message_id is distinct from in_raw.message_id
                    or in_files.sent_at is distinct from in_raw.sent_at
                    or in_files.body is distinct from in_raw.body
                )
            )
        )
        order by file, line
        """
    ).fetchall()
    for view in ("files", "lines", "rejects"):
        con.unregister(view)
    return [WrongLine(*row) for row in wrong]


def _of_files(call: str, first_load: int) -> str:
    return f"""
        select '{call}' as kept_in, message_id, received_at, sent_at, source, credential,
            encode(payload::varchar) as body, file, line
        from raw."{call}" semi join files using (file) where load_id >= {first_load}
    """
