"""The same many events in a warehouse of ours, in a DuckDB file and as JSON in one column.

A warehouse that has loaded some events is made so many times larger with SQL, each time with other
ids, users and times; the others are made from it.
"""

import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import duckdb

from benchmarks.compare.questions import COLUMNS, QUESTIONS, view_on_json
from orchestration.settings import Settings
from orchestration.warehouse.catalog import number
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock

OURS, FILE, JSON = "this warehouse", "a DuckDB file", "JSON in one column"

_DAYS = 56
"""So long the events are spread."""


class Answered(NamedTuple):
    """What a question took, by the clock and of processor."""

    clock: float
    processor: float


Answers = dict[str, dict[str, Answered]]
"""Question → store → what it took: the median."""


class Stores(NamedTuple):
    """Where the same events are, and their bytes."""

    settings: Settings
    file: Path
    json: Path
    events: int


def fill(settings: Settings, folder: Path, events: int) -> Stores:
    """Make the three stores of so many events at least, of a warehouse that has loaded some."""
    file, one_column = folder / "tables.duckdb", folder / "json.duckdb"
    with writer_lock(settings), connect(settings) as con:
        con.execute(f"attach '{file}' as file; attach '{one_column}' as json")
        tables = {call: f'"{settings.schema_name}"."{call}"' for call in COLUMNS}
        loaded = sum(number(con, f"select count(*) from {table}") for table in tables.values())
        times = -(-events // loaded)
        con.execute("create table json.events (payload json)")
        for call, table in tables.items():
            con.execute(f"insert into json.events {_payloads(call, table, times)}")
            con.execute(f"insert into {table} by name {_rows(table, times)}")
            con.execute(f"create table file.{call} as from {table}")
        for call in COLUMNS:
            con.execute(f"use json; {view_on_json(call)}; use seamline")
        con.execute("detach file; detach json")
    return Stores(settings, file, one_column, loaded * times)


def _others(times: int, first: int) -> str:
    """Numbers, in an order that leaves what belongs together together."""
    return f"(select range as n from range({first}, {times})) as others"


def _shift(times: int) -> str:
    return f"to_seconds({_DAYS * 86_400 // times} * n)"


def _rows(table: str, times: int) -> str:
    """What is added: each event so many times less one, as other events of other users."""
    return f"""
        select events.* replace (
            md5(message_id || n) as message_id,
            user_id || if(n % 50 = 0, '', '-' || n % 50) as user_id,
            md5(anonymous_id || n % 50) as anonymous_id,
            "timestamp" + {_shift(times)} as "timestamp",
            _sdc_received_at + {_shift(times)} as _sdc_received_at,
            _sdc_sequence + {_DAYS * 86_400 // times} * n * 1_000_000_000 as _sdc_sequence
        )
        from {_others(times, 1)} cross join (from {table}) as events
    """


def _payloads(call: str, table: str, times: int) -> str:
    """The payloads of the same events."""
    return f"""
        select if(n = 0, payload, json_merge_patch(payload, json_object(
            'messageId', md5(message_id || n),
            'userId', (payload ->> '$.userId') || if(n % 50 = 0, '', '-' || n % 50),
            'anonymousId', md5((payload ->> '$.anonymousId') || n % 50),
            'timestamp',
            strftime((payload ->> '$.timestamp')::timestamp + {_shift(times)}, '%xT%H:%M:%S.%gZ')
        ))) as payload
        from {_others(times, 0)} cross join (
            select raw.message_id, payload from raw."{call}" as raw
            semi join {table} as kept
                on kept._seamline_file = raw.file and kept._seamline_line = raw.line
        ) as events
    """


def ask(stores: Stores, rounds: int) -> Answers:
    """Ask each store each question, in turns.

    Exits:
        Two do not give the same answer.
    """
    answers: Answers = {}
    with connect(stores.settings, read_only=True) as lake:
        lake.execute(f"use seamline.{stores.settings.schema_name}")
        connections = {OURS: lake}
        for name, path in ((FILE, stores.file), (JSON, stores.json)):
            connections[name] = duckdb.connect(str(path), read_only=True)
            connections[name].execute("set TimeZone = 'UTC'")
        for question, sql in QUESTIONS.items():
            taken: dict[str, list[Answered]] = {name: [] for name in connections}
            found = {name: con.execute(sql).fetchall() for name, con in connections.items()}
            _require_same(question, found)
            for _ in range(rounds):
                for name, con in connections.items():
                    if name != JSON or not taken[name]:  # once is enough of what takes seconds
                        taken[name].append(_answered(con, sql))
            answers[question] = {
                name: Answered(*map(statistics.median, zip(*each, strict=True)))
                for name, each in taken.items()
            }
        for name in (FILE, JSON):
            connections[name].close()
    return answers


def _answered(con: duckdb.DuckDBPyConnection, sql: str) -> Answered:
    clock, processor = time.perf_counter(), time.process_time()
    con.execute(sql).fetchall()
    return Answered(time.perf_counter() - clock, time.process_time() - processor)


def _require_same(question: str, found: dict[str, list[tuple[object, ...]]]) -> None:
    for name, answer in found.items():
        if answer != found[OURS]:
            raise SystemExit(
                f"{question}: {name} says {answer[:3]}, {OURS} says {found[OURS][:3]}."
            )


def sizes(stores: Stores) -> Iterator[tuple[str, int]]:
    """The bytes of the tables that the questions are about, by store."""
    with connect(stores.settings, read_only=True) as con:
        wanted = ", ".join(f"'{call}'" for call in COLUMNS)
        yield (
            OURS,
            number(
                con,
                f"""
            select sum(file_size_bytes) from __ducklake_metadata_seamline.ducklake_data_file
            join __ducklake_metadata_seamline.ducklake_table as tables using (table_id)
            join __ducklake_metadata_seamline.ducklake_schema as schemas using (schema_id)
            where tables.end_snapshot is null and schema_name = $1 and table_name in ({wanted})
                and ducklake_data_file.end_snapshot is null
            """,
                stores.settings.schema_name,
            ),
        )
    yield FILE, os.path.getsize(stores.file)  # noqa: PTH202
    yield JSON, os.path.getsize(stores.json)  # noqa: PTH202
