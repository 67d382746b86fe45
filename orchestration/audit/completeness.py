"""`raw.completeness`: what became of every line that was landed, per call, source and hour.

The columns are counted at different stages: `received` in the files, before anything
is inserted; `loaded` and `rejected` in the raw tables; `waiting` in the landing folder; `rows` and
`duplicate` by looking for each loaded copy in the final table. So their sums are no tautology:

    received = loaded + rejected + waiting
    loaded = rows + duplicate

A copy whose load the models of its call have not had yet is not loaded, but waits.

Three more say what is in no sum: of the duplicates those whose sender gave no id (`folded`), so
that nobody can tell whether they are copies, and those that another source sent than the row's and
that do not say the same (`conflicting`); and the rows with a time that cannot be read
(`unread_times`).

Only hours with news are counted again: those of new loads, of what waits, and of copies whose
message has come once more.
"""

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType

import duckdb
import pyarrow as pa

from landed.folders import CALLS
from landed.ids import MADE_UP_ID
from orchestration.audit import load_reports, not_stored_counts
from orchestration.columns.in_force import rules_in_force
from orchestration.loading.insert import HOUR, UNKNOWN, highest_load, known_checksums
from orchestration.loading.waiting import Key, count_lines, waiting_files
from orchestration.models.pending_models import modelled_loads, with_rows_since
from orchestration.settings import Settings
from orchestration.warehouse.catalog import columns_in, tables, views
from orchestration.warehouse.raw_tables import WITH_TABLE
from orchestration.warehouse.transaction import transaction

log = logging.getLogger(__name__)

Modelled = Mapping[str, float | None]
"""Models that have run, and their seconds, where they are known."""

NOTHING: Modelled = MappingProxyType({})

UNREAD_TIMES = "_seamline_unread_times"
"""The column that names them, in a final table."""

CONFLICT = "conflict"
"""The view that lists copies which do not say what the row says, and are of another source."""


def count_all(
    con: duckdb.DuckDBPyConnection, settings: Settings, modelled: Modelled = NOTHING
) -> None:
    """Count every hour again, as after rows of old ones were derived again; see `count`."""
    hours = {hour for (hour,) in con.execute("select hour from raw.completeness").fetchall()}
    count(con, settings, modelled, hours)


def count(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    modelled: Modelled = NOTHING,
    hours: Collection[datetime] = (),
) -> None:
    """Bring `raw.completeness` up to date; the caller has the writer's lock.

    Args:
        con: The warehouse.
        settings: Where the landing folder is.
        modelled: The calls whose models have had all that was loaded, as they have just run; with
            how many seconds each took.
        hours: The hours to count beside those with news.
    """
    try:
        with transaction(con):
            count_here(con, settings, modelled, hours)
    except BaseException:
        not_stored_counts.look_again(settings.landing)
        raise


def count_here(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    modelled: Modelled,
    hours: Collection[datetime],
) -> None:
    """Count in a transaction that is open; see `count`."""
    paths = waiting_files(settings.landing)
    known = known_checksums(con, [path.name.removesuffix(".open") for path in paths])
    waiting = count_lines([path for path in paths if path.name not in known])
    seen = modelled_loads(con)
    not_stored_counts.add_now_and_then(con, settings.landing)
    news = {
        call: _hours_of_copies(con, call, seen.get(call, 0)) for call in with_rows_since(con, seen)
    }
    hours = {*hours, *_hours_with_news(con, seen), *(hour for _, _, hour in waiting)}
    hours.update(*news.values())
    if not hours:
        return
    behind = {
        call: seen.get(call, 0) for call in WITH_TABLE if call in news and call not in modelled
    }
    last = max(seen.values(), default=0)
    shown = {call: seen.get(call, last) for call in news.keys() - behind.keys()}
    load_reports.add(con, settings.place, shown, behind, last, modelled)
    filled = filled_tables(con, settings)
    columns = columns_in(con, settings.schema_name)
    # Of what is in neither, no row was ever loaded: its empty tables are not looked through.

    def loaded(call: str) -> str:
        if call not in filled:
            return _loaded_alone(call, hours)
        has_unread = UNREAD_TIMES in columns[call]  # not before its models have run once more
        return _loaded(call, settings, hours, behind.get(call), has_unread=has_unread)

    con.register("counted_hours", pa.table({"hour": pa.array(hours, pa.timestamp("us"))}))
    con.register("waiting", _waiting_table(waiting))
    con.execute("delete from raw.completeness where hour in (from counted_hours)")
    con.execute(
        f"""
        insert into raw.completeness by name
        with counts as (
            {_received()}
            union all by name select call, source, hour, lines as received, lines as waiting
            from waiting
            union all by name {_rejected()}
            {"".join(loaded(call) for call in CALLS if call in news or call in seen)}
            {"".join(_waiting(call, hours, behind[call]) for call in behind.keys() & filled)}
        )
        select
            call, source, hour,
            coalesce(sum(received), 0)::bigint as received,
            coalesce(sum(loaded), 0)::bigint as loaded,
            coalesce(sum(rejected), 0)::bigint as rejected,
            coalesce(sum(waiting), 0)::bigint as waiting,
            sum(rows)::bigint as rows,
            sum(duplicate)::bigint as duplicate,
            sum(folded)::bigint as folded,
            sum(unread_times)::bigint as unread_times,
            -- of another source; what they say is compared behind this, and only if there are any
            sum(conflicting)::bigint as conflicting,
            timezone('UTC', now()) as counted_at,
            {_counted_load(behind, highest_load(con))} as counted_load_id
        from counts
        where hour in (from counted_hours)
        group by call, source, hour
        having received <> 0 or loaded <> 0 or rejected <> 0
        order by all
        """
    )
    _compare_conflicting(con, settings, behind)
    con.unregister("counted_hours")
    con.unregister("waiting")


def _compare_conflicting(
    con: duckdb.DuckDBPyConnection, settings: Settings, behind: dict[str, int]
) -> None:
    """Leave of the copies of another source than the row's those that do not say the same."""
    if not con.execute(
        "from raw.completeness where conflicting > 0 and hour in (from counted_hours) limit 1"
    ).fetchone():
        return
    if (settings.schema_name, CONFLICT) not in views(con):  # of a version before this one
        con.execute(
            "update raw.completeness set conflicting = null where hour in (from counted_hours)"
        )
        return
    seen = _counted_load(behind, highest_load(con))
    con.execute(
        f"""
        update raw.completeness as counts set conflicting = coalesce(found.copies, 0)
        from (
            select call, source, hour, copies
            from raw.completeness left join (
                select
                    call, coalesce(copy_source, '{UNKNOWN}') as source,
                    date_trunc('hour', copy_received_at) as hour, count(*) as copies
                from "{settings.schema_name}"."{CONFLICT}"
                where date_trunc('hour', copy_received_at) in (from counted_hours)
                    and copy_load_id <= {seen}
                group by all
            ) using (call, source, hour)
            where conflicting > 0 and hour in (from counted_hours)
        ) as found
        where counts.call = found.call and counts.source = found.source
            and counts.hour = found.hour
        """
    )


def filled_tables(con: duckdb.DuckDBPyConnection, settings: Settings) -> set[str]:
    """The calls whose final table is there and is filled; columns.yml can leave tables out."""
    there = tables(con)
    found = {call for call in CALLS if (settings.schema_name, call) in there}
    rules = rules_in_force(con) if found else {}
    return {call for call in found if call not in rules[call].leave_out_tables}


def _hours_with_news(con: duckdb.DuckDBPyConnection, seen: dict[str, int]) -> set[datetime]:
    rows = con.execute(
        "select hour from raw.completeness where waiting > 0 "
        "union select hour from raw.landed_count where load_id > $1",
        [max(seen.values(), default=0)],
    ).fetchall()
    return {hour for (hour,) in rows}


def _hours_of_copies(con: duckdb.DuckDBPyConnection, call: str, seen: int) -> set[datetime]:
    """Hours of new copies, and of those of their messages that may be rows no longer.

    These are later ones, and those sent with a public key if the new ones were not.
    """
    rows = con.execute(
        f"""
        with new as (
            select message_id, received_at, file, credential from raw."{call}"
            where load_id > {seen}
        )
        select distinct {HOUR} from new
        union
        select distinct {HOUR} from raw."{call}"
        where received_at > (select min(received_at) from new)
            and load_id <= {seen}
            and message_id in (select message_id from new)
        union
        select distinct {HOUR} from raw."{call}"
        where credential = 'browser'
            and load_id <= {seen}
            and message_id in (
                select message_id from new where credential is distinct from 'browser'
            )
        """
    ).fetchall()
    return {hour for (hour,) in rows}


def _received() -> str:
    # where no table is there to count them
    names = ("loaded", "rows", "duplicate", "folded", "unread_times", "conflicting")
    unknown = ", ".join(f"null::int as {name}" for name in names)
    return f"select call, source, hour, lines as received, {unknown} from raw.landed_count"


def _rejected() -> str:
    return f"""
        select
            coalesce(call, '{UNKNOWN}') as call, coalesce(source, '{UNKNOWN}') as source,
            {HOUR} as hour, 1 as rejected
        from raw.rejected
    """


def _waiting(call: str, hours: Collection[datetime], seen: int) -> str:
    """The copies that the models of a call may lack: its tables show them after the next run."""
    return f"""
        union all by name
        select '{call}' as call, source, hour, 1 as waiting
        from ({_copies(call, hours)}) where load_id > {seen}
    """


def _copies(call: str, hours: Collection[datetime]) -> str:
    begin, last = min(hours), max(hours)
    return f"""
        select message_id, coalesce(source, '{UNKNOWN}') as source, {HOUR} as hour, file, line,
            load_id
        from raw."{call}"
        where received_at >= timestamp '{begin}'
            and received_at < timestamp '{last}' + interval 1 hour
    """


def _loaded_alone(call: str, hours: Collection[datetime]) -> str:
    """Each loaded copy of some hours, of a call that has no final table."""
    return f"""
        union all by name
        select '{call}' as call, source, hour, 1 as loaded from ({_copies(call, hours)})
    """


def _loaded(
    call: str,
    settings: Settings,
    hours: Collection[datetime],
    seen: int | None,
    *,
    has_unread: bool,
) -> str:
    """Each loaded copy of some hours: is it the row of its message, or is another?"""
    begin, last = min(hours), max(hours)
    copies = _copies(call, hours)
    if seen is not None:
        copies += f" and load_id <= {seen}"
    table = f'"{settings.schema_name}"."{call}"'
    is_unread = f"{UNREAD_TIMES} is not null" if has_unread else "false"
    return f"""
        union all by name
        select
            '{call}' as call, source, hour, 1 as loaded, is_row::int as rows,
            is_duplicate::int as duplicate,
            (is_duplicate and regexp_full_match(message_id, '{MADE_UP_ID}'))::int as folded,
            (is_duplicate and is_of_another)::int as conflicting,
            coalesce(is_unread, false)::int as unread_times
        from (
            with kept as not materialized (
                select
                    message_id, _seamline_file as file, _seamline_line as line,
                    _seamline_source as row_source, {is_unread} as is_unread
                from {table}
                where _sdc_received_at >= timestamp '{begin}'
                    and _sdc_received_at < timestamp '{last}' + interval 1 hour
            ),
            placed as materialized (
                select copies.*, is_unread, kept.line is not null as is_row
                from ({copies}) as copies
                left join (from kept select file, line, is_unread) as kept using (file, line)
            ),
            others as materialized (select distinct message_id from placed where not is_row),
            near as materialized (
                select message_id, row_source from kept semi join others using (message_id)
            ),
            -- the ids of the whole table are read for those alone whose row is not of these hours
            far as (
                select message_id, _seamline_source as row_source
                from {table}
                where message_id in (
                    select message_id from others anti join near using (message_id)
                )
            )
            select
                placed.*, not is_row and of_message.message_id is not null as is_duplicate,
                source <> coalesce(row_source, '{UNKNOWN}') as is_of_another
            from placed
            left join (from near union all from far) as of_message using (message_id)
        )
    """


def _counted_load(behind: dict[str, int], last: int) -> str:
    """The last load that the models of a row's call have had."""
    cases = "".join(f" when '{call}' then {load}" for call, load in behind.items())
    return f"case call{cases} else {last} end" if cases else f"{last}"


def _waiting_table(waiting: Counter[Key]) -> pa.Table:
    return pa.table(
        {
            "call": pa.array([call for call, _, _ in waiting], pa.string()),
            "source": pa.array([source for _, source, _ in waiting], pa.string()),
            "hour": pa.array([hour for _, _, hour in waiting], pa.timestamp("us")),
            "lines": pa.array(waiting.values(), pa.int64()),
        }
    )
