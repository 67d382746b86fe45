"""What somebody should look at: cheap checks that read no whole table, for Dagster and a terminal.

Each says what it looked at, in figures, and a sentence for each thing that is not as it should be.
From what on that is so, the settings `SEAMLINE_ALARM_…` say.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb

from landed.folders import CALLS
from orchestration.audit.sources import HOURS, Hour, Source, last_hour, sources
from orchestration.columns.in_force import rules_in_force
from orchestration.columns.listing import HELD_BACK
from orchestration.loading.waiting import waiting_files
from orchestration.models.back_off import failing_models
from orchestration.remote.known import looked_at
from orchestration.settings import Settings
from orchestration.warehouse.catalog import columns_in, tables
from orchestration.warehouse.data_places import place_at
from orchestration.warehouse.raw_tables import WITH_TABLE

Figures = dict[str, int | float]


class Found(NamedTuple):
    """What a check has found."""

    problems: list[str]
    """A sentence each: what, and what to do. None if all is well."""
    figures: Figures
    """What was looked at."""


class Look(NamedTuple):
    """What checks look at, at one moment."""

    con: duckdb.DuckDBPyConnection
    settings: Settings
    now: datetime
    """In UTC."""
    sources: list[Source]


class Check(NamedTuple):
    """A check that costs little enough to be made behind every load."""

    name: str
    description: str
    look: Callable[[Look], Found]


def look_at(con: duckdb.DuckDBPyConnection, settings: Settings, now: datetime) -> Look:
    """Return what the checks look at.

    Args:
        con: The warehouse, open for reading.
        settings: The settings.
        now: The time, in UTC.
    """
    return Look(con, settings, now, sources(con, settings.landing, now))


def files_wait(look: Look) -> Found:
    """No sealed file has waited for long: loads keep up, and there are some."""
    files = [path for path in waiting_files(look.settings.landing) if path.suffix != ".open"]
    oldest = max((look.now.timestamp() - _changed(path) for path in files), default=0.0)
    problems = []
    if oldest > look.settings.alarm_waiting_seconds:
        problems.append(
            f"{len(files)} sealed files wait to be loaded, the oldest for {oldest / 60:.0f} "
            "minutes: look at the runs of `load` and at the sensor `sealed_files`; nothing of them "
            "is lost (docs/runbooks/stopped-sensor.md)"
        )
    return Found(problems, {"files": len(files), "oldest_seconds": round(oldest, 1)})


def store_is_asked(look: Look) -> Found:
    """What waits in the object store is fetched, and what was loaded is kept there."""
    settings = look.settings
    if settings.landing_remote is None:
        return Found([], {})
    looked = looked_at(settings.landing)
    if looked is None:
        return Found([f"Nobody fetches what waits in {settings.landing_remote}: {_FETCH}"], {})
    now, most = look.now.timestamp(), settings.alarm_waiting_seconds
    silent = max(0.0, now - looked.went_well)
    oldest = max(0.0, now - looked.oldest) if looked.oldest else 0.0
    problems = []
    if silent > most:
        why = looked.problem or _FETCH
        problems.append(
            f"{settings.landing_remote} was asked last {silent / 60:.0f} minutes ago, and what "
            f"waits there stays there; nothing of it is lost: {why}"
        )
    elif oldest > most:
        problems.append(
            f"{looked.waiting} files wait in {settings.landing_remote}, the oldest for "
            f"{oldest / 60:.0f} minutes: loads do not keep up, or the disk here is full"
        )
    behind = max(0.0, now - looked.kept)
    if behind > most and silent <= most:
        why = f": {looked.problem}" if looked.problem else ""
        problems.append(
            f"What was loaded was kept in {settings.landing_remote} last {behind / 60:.0f} minutes "
            f"ago; nothing of it is lost as long as this disk is not{why}"
        )
    if looked.left_out:
        problems.append(
            f"Counts in {settings.landing_remote} are too large to be some, and left out: "
            f"{', '.join(sorted(looked.left_out)[:_MOST_NAMED])}. What those receivers have not "
            "stored is missing; look what the objects are"
        )
    figures: Figures = {
        "counts_left_out": len(looked.left_out),
        "files": looked.waiting,
        "kept_seconds": round(behind, 1),
        "oldest_seconds": round(oldest, 1),
        "silent_seconds": round(silent, 1),
    }
    return Found(problems, figures)


_MOST_NAMED = 5

_FETCH = "look whether `seamline fetch` runs, which `seamline run` starts"


def disk_is_free(look: Look) -> Found:
    """Each disk that is written to has room."""
    settings = look.settings
    figures: Figures = {}
    problems = []
    for name, folder in (
        ("landing", settings.landing),
        *(("warehouse", folder) for folder in place_at(settings.data_address).folders),
        ("dagster", settings.dagster_home),
    ):
        usage = shutil.disk_usage(_there(folder))
        figures[f"{name}_free_bytes"] = usage.free
        if usage.free < settings.alarm_free_share * usage.total:
            problems.append(
                f"The disk of {folder} has {usage.free / 1e9:.1f} GB left of "
                f"{usage.total / 1e9:.1f} GB (docs/runbooks/disk-full.md)"
            )
    return Found(problems, figures)


def sources_send(look: Look) -> Found:
    """No source is silent that always sends something in this hour."""
    figures: Figures = {}
    problems = []
    for hour in _judged(look):
        figures[f"{hour.source}_received"] = hour.received
        if not hour.received and min(hour.usual) > 0 and hour.median >= _ENOUGH_FOR_SILENCE:
            problems.append(
                f"{hour.source} sent nothing in the last whole hour, and usually about "
                f"{hour.median:.0f} events then: look whether its site or server still sends"
            )
    return Found(problems, figures)


def volume_is_usual(look: Look) -> Found:
    """No source sends far less, or far more, than it usually does in this hour."""
    share = look.settings.alarm_volume_share
    figures: Figures = {}
    problems = []
    for hour in _judged(look):
        if hour.median < _ENOUGH_FOR_VOLUME or not hour.received:
            continue
        figures[f"{hour.source}_share_of_usual"] = round(hour.received / hour.median, 2)
        if not share <= hour.received / hour.median <= 1 / share:
            problems.append(
                f"{hour.source} sent {hour.received} events in the last whole hour, and usually "
                f"about {hour.median:.0f} then"
            )
    return Found(problems, figures)


def rejects_are_few(look: Look) -> Found:
    """Of no source is more than a share rejected."""
    return _shares(
        look,
        lambda source: (source.rejected, source.received),
        look.settings.alarm_rejected_share,
        "{part} of {whole} lines of {source} were rejected in the last {hours} hours: raw.rejected "
        "has the reasons and the bytes; `seamline replay --rejected` tries them again after a fix",
    )


def duplicates_are_few(look: Look) -> Found:
    """Of no source is more than a share sent more than once."""
    return _shares(
        look,
        lambda source: (source.duplicate, source.loaded),
        look.settings.alarm_duplicate_share,
        "{part} of {whole} events of {source} were copies of others in the last {hours} hours: the "
        "tables have each once, but somebody sends them again and again",
    )


def clocks_are_right(look: Look) -> Found:
    """Of no source a good part says that it was sent at a time that cannot be."""
    most = look.settings.alarm_clock_seconds
    sent = " union all ".join(
        f'select source, received_at, sent_at from raw."{call}" where received_at > $since'
        for call in CALLS
    )
    rows = look.con.execute(
        f"""
        with sent as ({sent}),
        known as (
            select source, received_at,
                -- as SDKs write it; what is written otherwise the models read, and count if not
                try_strptime(left(sent_at, 19), '%Y-%m-%dT%H:%M:%S') as sent_at
            from sent where sent_at like '____-__-__T__:__:__%Z'
        )
        select source, count(*), count(*) filter (
            sent_at > received_at + to_seconds($most)
            or sent_at < received_at - to_seconds($most) - interval 1 day
        )
        from known where sent_at is not null group by source order by source
        """,
        {"since": look.now.replace(tzinfo=None) - timedelta(hours=1), "most": most},
    ).fetchall()
    problems = [
        f"{wrong} of {events} events of {source} in the last hour say that they were sent more "
        f"than {most:.0f} s after they came, or a day before: the sender's clock is wrong, or it "
        "sends what it has kept for long"
        for source, events, wrong in rows
        if events >= _ENOUGH_FOR_SHARES and wrong > events * _SHARE_OF_CLOCKS
    ]
    return Found(problems, {f"{source}_wrong": wrong for source, _, wrong in rows})


def quotas_are_kept(look: Look) -> Found:
    """No source was turned away for sending more than it may."""
    found = {one.name: one.not_stored.get("throttled", 0) for one in look.sources}
    return Found(
        [
            f"{number} requests of {source} were answered 429 in the last {HOURS} hours, as it "
            "sends more than it may; senders send again, a page that was closed does not "
            "(docs/operate-receiver.md#quotas)"
            for source, number in found.items()
            if number
        ],
        {f"{source}_throttled": number for source, number in found.items()},
    )


def columns_have_room(look: Look) -> Found:
    """No table is near its ceiling of columns, and no new field is kept out of one."""
    since = look.now.replace(tzinfo=None) - timedelta(hours=HOURS)
    (new,) = look.con.execute(
        "select count(distinct (call, path)) from raw.field where first_seen >= $1", [since]
    ).fetchone() or (0,)
    figures: Figures = {"new_fields": new}
    problems = []
    is_built = ("columns", "rules") in tables(look.con)
    rules = rules_in_force(look.con) if is_built else {}
    columns = columns_in(look.con, look.settings.schema_name)
    for call in rules.keys() & set(WITH_TABLE):
        number, most = len(columns.get(call, ())), rules[call].max_columns
        figures[f"{call}_columns"] = number
        if number > look.settings.alarm_columns_share * most:
            problems.append(
                f"{look.settings.schema_name}.{call} has {number} of {most} columns: `seamline "
                "columns` says who brought them, and --drop frees some (docs/tables/columns-yml.md)"
            )
    for call, fields in _held_back(look, since):
        problems.append(
            f"{fields} fields of {call} that came in the last {HOURS} hours have no column: "
            "`seamline columns --without-column` names them; raw has their values"
        )
    return Found(problems, figures)


def models_run(look: Look) -> Found:
    """No model fails."""
    failing = failing_models(look.con)
    return Found(
        [
            f"Model {name} failed {model.times} times; it is tried again at "
            f"{datetime.fromtimestamp(model.due, look.now.tzinfo):%H:%M:%S} UTC, and all others go "
            "on: the newest failed run of `load` or `marts` has dbt's words"
            for name, model in sorted(failing.items())
        ],
        {"failing": len(failing)},
    )


CHECKS = tuple(
    Check(look.__name__, (look.__doc__ or "").strip(), look)
    for look in (
        files_wait,
        store_is_asked,
        disk_is_free,
        sources_send,
        volume_is_usual,
        rejects_are_few,
        duplicates_are_few,
        clocks_are_right,
        quotas_are_kept,
        columns_have_room,
        models_run,
    )
)

_ENOUGH_FOR_SILENCE = 10
_ENOUGH_FOR_VOLUME = 50
_ENOUGH_FOR_SHARES = 100
"""So many events: of fewer, chance alone makes such a figure now and then."""

_SHARE_OF_CLOCKS = 0.1


def _judged(look: Look) -> list[Hour]:
    """The last hour of each source that has habits; none while files of it may still wait."""
    waiting = files_wait(look).figures["oldest_seconds"]
    if waiting > look.settings.alarm_waiting_seconds:
        return []
    return [hour for hour in last_hour(look.con, look.now) if hour.usual]


def _shares(
    look: Look, parts: Callable[[Source], tuple[int, int]], most: float, text: str
) -> Found:
    """Compare a part with a whole, by source."""
    figures: Figures = {}
    problems = []
    for source in look.sources:
        part, whole = parts(source)
        if whole:
            figures[f"{source.name}_share"] = round(part / whole, 4)
        if whole >= _ENOUGH_FOR_SHARES and part > most * whole:
            problems.append(text.format(part=part, whole=whole, source=source.name, hours=HOURS))
    return Found(problems, figures)


def _held_back(look: Look, since: datetime) -> Iterator[tuple[str, int]]:
    """Calls, and how many of their new fields have no column that could have one."""
    if ("columns", "placement") not in tables(look.con):
        return
    rows = look.con.execute(
        """
        select call, count(distinct path)
        from columns.placement
        semi join (
            select call, path from raw.field group by all having min(first_seen) >= $since
        ) using (call, path)
        where list_contains($why, status) group by call order by call
        """,
        {"since": since, "why": list(HELD_BACK)},
    ).fetchall()
    yield from rows


def _there(folder: Path) -> Path:
    """A folder, or what it will be in."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # loaded since it was listed
        return time.time()
