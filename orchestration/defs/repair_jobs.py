"""What a terminal's commands prove and repair, as jobs that Dagster's UI launches.

Each has typed config, which the UI refuses if it does not fit. Dagster keeps it, so no person's id
is in it: to erase somebody there is `seamline forget` alone. A `messageId` is kept.
"""

from collections.abc import Callable, Iterable
from datetime import date
from enum import Enum
from typing import ParamSpec, TypeVar

import dagster as dg
from pydantic import Field

from landed.errors import ReportedError
from orchestration.audit.trace import trace
from orchestration.audit.verify import verify
from orchestration.by_hand import reload_once
from orchestration.loading.load import Progress
from orchestration.recovery.rebuild import rebuild
from orchestration.recovery.replay import replay
from orchestration.settings import Settings
from orchestration.warehouse.raw_tables import WITH_TABLE

DAYS = dg.DailyPartitionsDefinition(start_date="2020-01-01", end_offset=1)
"""The days that can be derived again, in UTC, today included."""

Table = Enum("Table", {"every": "every", **{call: call for call in WITH_TABLE}})  # type: ignore[misc]
"""The tables that can be chosen."""

_EVERY = Table("every")

_NAMED = 50


class OfTable(dg.Config):
    """Which table."""

    table: Table = Field(default=_EVERY, description="One final table, or every one.")


class OfMessage(dg.Config):
    """Which event."""

    message_id: str = Field(description="The event's `messageId`.", min_length=1)


class Rebuild(dg.Config):
    """How to rebuild."""

    without: bool = Field(
        default=False,
        description="Even if files are missing or have expired: their events are then in no table.",
    )


Arguments = ParamSpec("Arguments")
Done = TypeVar("Done")


def _repaired(
    work: Callable[Arguments, Done], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Done:
    """Do it; what it refuses is a failure of the run in its own words, and without a stack."""
    try:
        return work(*args, **kwargs)
    except ReportedError as refused:
        raise dg.Failure(str(refused)) from None


def _call(config: OfTable) -> str | None:
    return None if config.table is _EVERY else str(config.table.value)


def _say(context: dg.OpExecutionContext, lines: Iterable[str]) -> None:
    for line in lines:
        context.log.info("%s", line)


def _progress(context: dg.OpExecutionContext, unit: str) -> Progress:
    def progress(done: int, total: int) -> None:
        context.log.info("%d of %d %s done", done, total, unit)

    return progress


@dg.op(name="replay_messages_of_day")
def replay_messages_of_day(context: dg.OpExecutionContext, config: OfTable) -> None:
    """Derive the rows of a day's messages again."""
    day = date.fromisoformat(context.partition_key)
    _say(context, [_repaired(replay, Settings(), day, _call(config))])


@dg.op(name="replay_whole_table")
def replay_whole_table(context: dg.OpExecutionContext, config: OfTable) -> None:
    """Derive all rows of a table again, by the rules of columns.yml as it is now."""
    _say(context, [_repaired(replay, Settings(), None, _call(config))])


@dg.op(name="replay_rejected_records")
def replay_rejected_records(context: dg.OpExecutionContext) -> None:
    """Check what was rejected by today's rules."""
    _say(context, [_repaired(reload_once, Settings())])


@dg.op(name="verify_all_lines")
def verify_all_lines(context: dg.OpExecutionContext) -> None:
    """Prove the warehouse against the files, line by line.

    Raises:
        dg.Failure: something does not hold; the text names it.
    """
    done = _repaired(verify, Settings(), _progress(context, "files"))
    _say(context, done.report())
    if done.problems:
        raise dg.Failure(
            "\n".join([f"{len(done.problems)} problems:", *map(str, done.problems[:_NAMED])])
        )


@dg.op(name="rebuild_warehouse")
def rebuild_warehouse(context: dg.OpExecutionContext, config: Rebuild) -> None:
    """Make the whole warehouse again from the files, and put it in the place of the old one."""
    done = _repaired(
        rebuild, Settings(), without=config.without, progress=_progress(context, "loads")
    )
    _say(context, [f"The warehouse was made again from {done.files} files"])


@dg.op(name="trace_message")
def trace_message(context: dg.OpExecutionContext, config: OfMessage) -> None:
    """Say where an event is, and what became of each copy."""
    settings = Settings()
    found = _repaired(trace, settings, config.message_id)
    _say(context, found.lines(settings.schema_name))


@dg.job(
    name="replay_day",
    partitions_def=DAYS,
    description="Derive the rows of messages received on a day again; a range of days is a "
    "backfill (docs/runbooks/replay.md).",
)
def replay_day() -> None:
    """One day, in UTC."""
    replay_messages_of_day()


@dg.job(name="replay_table", description="Derive whole tables again (docs/runbooks/replay.md).")
def replay_table() -> None:
    """One table, or every one."""
    replay_whole_table()


@dg.job(
    name="replay_rejected",
    description="Try rejected records again by today's rules (docs/runbooks/replay.md).",
)
def replay_rejected() -> None:
    """What is an event now moves to its table."""
    replay_rejected_records()


@dg.job(name="verify", description="Prove the warehouse against all files (docs/completeness.md).")
def verify_job() -> None:
    """It reads everything, and changes nothing."""
    verify_all_lines()


@dg.job(
    name="rebuild",
    description="Make the warehouse again from all files; loads wait (docs/runbooks/rebuild.md).",
)
def rebuild_job() -> None:
    """From the files, beside the old one."""
    rebuild_warehouse()


@dg.job(name="trace", description="Say where one event is (docs/operating.md).")
def trace_job() -> None:
    """By its `messageId`."""
    trace_message()


repair_jobs = [replay_day, replay_table, replay_rejected, verify_job, rebuild_job, trace_job]
