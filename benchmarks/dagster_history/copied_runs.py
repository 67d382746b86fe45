"""Runs that really happened, written again and again to Dagster's SQLite files."""

import json
import re
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg

HOUR = 3600.0
PASS_SECONDS = 5.0
PASSES = 700
"""Of a run that stays for an hour: the rest of it are its start and its end."""

_COMPLETENESS = "completeness"
_TIME = re.compile(r'"timestamp": (\d{10}\.\d+)')

Row = dict[str, Any]


class Event(NamedTuple):
    """A row of a run's own file, with what the index has of it."""

    row: Row
    indexed: Row | None
    tags: list[Row]


@dataclass
class Run:
    """What a run wrote."""

    run_id: str
    row: Row
    tags: list[Row]
    events: list[Event]
    checks: list[Row]
    began: float
    ended: float

    def of_an_hour(self, passes: int) -> Iterator[tuple[float, Event]]:
        """Its events, with its passes over and over: each with its second since the start."""
        head, blocks, tail = cut(self.events)
        for event in head:
            yield _time(event) - self.began, event
        if not blocks:
            return
        second = _time(head[-1]) - self.began
        for block in islice(cycle(blocks), passes):
            second += PASS_SECONDS
            for event in block:
                yield second + _time(event) - _time(block[-1]), event
        for event in tail:
            yield second + max(0.0, _time(event) - _time(tail[0])), event


@dataclass
class Copied:
    """How much was written."""

    runs: int = 0
    passes: int = 0
    events: int = 0

    def __str__(self) -> str:
        """In a line."""
        return f"{self.runs:,} runs with {self.passes:,} passes and {self.events:,} events"


def cut(events: Sequence[Event]) -> tuple[list[Event], list[list[Event]], list[Event]]:
    """Cut a run's events into what comes before its passes, these, and what comes after.

    A pass ends with the materialization of completeness and its check. Of a run without further
    passes all is before. The first of several passes makes views, and stays out.
    """
    ends = [
        number
        for number, event in enumerate(events)
        if event.row["dagster_event_type"] == "ASSET_CHECK_EVALUATION"
        and '"every_line_is_accounted_for"' in event.row["event"]
    ]
    if len(ends) < 2:  # noqa: PLR2004 - the run's own and one more
        return list(events), [], []
    blocks = [list(events[first + 1 : last + 1]) for first, last in pairwise(ends)]
    return list(events[: ends[0] + 1]), blocks[1:] or blocks, list(events[ends[-1] + 1 :])


def newest_runs(history: Path, jobs: Iterable[str]) -> dict[str, Run]:
    """Read the newest run of each job from the files of Dagster's history."""
    with (
        closing(_open(history / "runs.db")) as runs,
        closing(_open(history / "runs" / "index.db")) as index,
    ):
        return {job: _run(history, runs, index, job) for job in jobs}


def _run(history: Path, runs: sqlite3.Connection, index: sqlite3.Connection, job: str) -> Run:
    row = _rows(runs, "runs where pipeline_name = ? order by id desc limit 1", job)[0]
    run_id = row["run_id"]
    indexed: dict[tuple[str, str], list[Row]] = {}
    for one in _rows(index, "event_logs where run_id = ? order by id desc", run_id):
        indexed.setdefault((one["timestamp"], one["event"]), []).append(one)
    tags: dict[int, list[Row]] = {}
    for one in _rows(
        index,
        "asset_event_tags where event_id in (select id from event_logs where run_id = ?)",
        run_id,
    ):
        tags.setdefault(one["event_id"], []).append(one)
    events = []
    with closing(_open(history / "runs" / f"{run_id}.db")) as own:
        for one in _rows(own, "event_logs where run_id = ? order by id", run_id):
            same = indexed.get((one["timestamp"], one["event"]))
            found = same.pop() if same else None
            events.append(Event(one, found, tags.get(found["id"], []) if found else []))
    return Run(
        run_id,
        row,
        _rows(runs, "run_tags where run_id = ?", run_id),
        events,
        _rows(index, "asset_check_executions where run_id = ?", run_id),
        row["start_time"],
        row["end_time"],
    )


def copy_hours(
    runs: Mapping[str, Run], history: Path, hours: int, an_hour: Mapping[str, int]
) -> Copied:
    """Write the runs again for each of some hours, which end now.

    Args:
        runs: Job → a run of it.
        history: The folder of Dagster's history, which has them.
        hours: How many.
        an_hour: Job → how often it runs in an hour.
    """
    done = Copied()
    first = time.time() - hours * HOUR
    index = _open(history / "runs" / "index.db")
    database = _open(history / "runs.db")
    with closing(index), closing(database):
        for one in (index, database):
            one.execute("pragma synchronous = off")
        for hour in range(hours):
            for job, number in an_hour.items():
                for place in range(number):
                    began = first + hour * HOUR + place * HOUR / number
                    _write(runs[job], began, history, index, database, done)
            index.commit()
            database.commit()
        _renew_assets(index)
        index.commit()
    return done


def _write(
    run: Run,
    began: float,
    history: Path,
    index: sqlite3.Connection,
    database: sqlite3.Connection,
    done: Copied,
) -> None:
    run_id = str(uuid.uuid4())
    own = _open(history / "runs" / f"{run_id}.db")
    own.execute("pragma synchronous = off")
    with closing(_open(history / "runs" / f"{run.run_id}.db")) as made:
        for (statement,) in made.execute("select sql from sqlite_master where sql is not null"):
            own.execute(statement)
        for table in ("alembic_version", "secondary_indexes"):
            for row in _rows(made, table):
                _insert(own, table, row)
    last_check: dict[str, tuple[int | None, str, float]] = {}
    second = 0.0
    for second, event in run.of_an_hour(PASSES):
        at = began + second
        text = _moved(event.row["event"], run.run_id, run_id, at - _time(event))
        changed: Row = {"run_id": run_id, "event": text, "timestamp": _as_text(at)}
        _insert(own, "event_logs", event.row | changed, without="id")
        done.events += 1
        if event.indexed is not None:
            number = _insert(index, "event_logs", event.indexed | changed, without="id")
            for tag in event.tags:
                moved = {"event_id": number, "event_timestamp": _as_text(at)}
                _insert(index, "asset_event_tags", tag | moved, without="id")
            if event.row["dagster_event_type"] == "ASSET_CHECK_EVALUATION":
                last_check[_check(text)] = (number, text, at)
                done.passes += '"every_line_is_accounted_for"' in text
    own.commit()
    own.close()
    for check in run.checks:
        name = f"{check['asset_key']} {check['check_name']}"
        last, text, at = last_check.get(name, (None, check["evaluation_event"], began))
        changed = {
            "run_id": run_id,
            "evaluation_event": text,
            "evaluation_event_storage_id": last,
            "evaluation_event_timestamp": _as_text(at),
            "create_timestamp": _as_text(began),
        }
        _insert(index, "asset_check_executions", check | changed, without="id")
    ended = began + second
    changed = {
        "run_id": run_id,
        "run_body": run.row["run_body"].replace(run.run_id, run_id),
        "start_time": began,
        "end_time": ended,
        "create_timestamp": _as_text(began - 1),
        "update_timestamp": _as_text(ended),
    }
    _insert(database, "runs", run.row | changed, without="id")
    for tag in run.tags:
        _insert(database, "run_tags", tag | {"run_id": run_id}, without="id")
    done.runs += 1


def _renew_assets(index: sqlite3.Connection) -> None:
    """Have each asset name its newest materialization, as Dagster does with each."""
    for asset in _rows(index, "asset_keys"):
        newest = _rows(
            index,
            "event_logs where asset_key = ? and dagster_event_type = 'ASSET_MATERIALIZATION' "
            "order by id desc limit 1",
            asset["asset_key"],
        )
        if newest:
            index.execute(
                "update asset_keys set last_materialization = ?, last_run_id = ?, "
                "last_materialization_timestamp = ?, cached_status_data = null where id = ?",
                [*(newest[0][name] for name in ("event", "run_id", "timestamp")), asset["id"]],
            )


def read_back(instance: dg.DagsterInstance, runs: Mapping[str, Run]) -> None:
    """See that Dagster reads of a copy what it reads of the run itself.

    Raises:
        SystemExit: it does not.
    """
    for job, run in runs.items():
        (newest,) = instance.get_runs(dg.RunsFilter(job_name=job), limit=1)
        copied = [entry.dagster_event_type for entry in instance.all_logs(newest.run_id)]
        made = [entry.dagster_event_type for entry in instance.all_logs(run.run_id)]
        head, _, tail = cut(run.events)
        first, last = len(head), len(copied) - len(tail)
        is_same = copied[:first] + copied[last:] == made[:first] + made[len(made) - len(tail) :]
        if newest.run_id == run.run_id or not newest.is_success or not is_same:
            raise SystemExit(f"Dagster does not read the copies of {job} as it reads {run.run_id}.")


def _check(event: str) -> str:
    data = json.loads(event)["dagster_event"]["event_specific_data"]
    return f"{json.dumps(data['asset_key']['path'])} {data['check_name']}"


def _time(event: Event) -> float:
    return datetime.fromisoformat(event.row["timestamp"]).replace(tzinfo=UTC).timestamp()


def _moved(event: str, of: str, run_id: str, seconds: float) -> str:
    moved = _TIME.sub(lambda found: f'"timestamp": {float(found[1]) + seconds:.6f}', event)
    return moved.replace(of, run_id)


def _as_text(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S.%f}"


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path)


def _rows(database: sqlite3.Connection, what: str, *parameters: object) -> list[Row]:
    found = database.execute(f"select * from {what}", parameters)
    names = [name for name, *_ in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]


def _insert(database: sqlite3.Connection, table: str, row: Row, without: str = "") -> int:
    names = [name for name in row if name != without]
    statement = f"insert into {table} ({', '.join(names)}) values ({', '.join('?' * len(names))})"
    return database.execute(statement, [row[name] for name in names]).lastrowid or 0
