"""Which fields there are, from whom, and which column each has or why none: for people to read."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import duckdb

from orchestration.columns.documented import COLUMN_TYPES
from orchestration.columns.rules import Pattern, fits
from orchestration.loading.field_paths import keys_of, path_text
from orchestration.settings import Settings
from orchestration.warehouse.catalog import tables
from orchestration.warehouse.connection import connect

UNKNOWN = "unknown"
"""The source of what an earlier version listed, which did not say it."""


class Listed(NamedTuple):
    """A field of one call, source and type."""

    call: str
    path: str
    type: str
    source: str
    copies: int
    status: str
    """`column`, or why it has none."""
    column: str | None
    """Its table and column."""
    column_type: str | None
    """The column's type."""

    def fits(self, pattern: Pattern, source: str | None) -> bool:
        """Whether a pattern, of one source if that is said, is about it or about what it is in."""
        keys = keys_of(self.path)
        starts = (path_text(keys[:length]) for length in range(1, len(keys) + 1))
        return source in {None, self.source} and any(fits(pattern, start) for start in starts)


class Brought(NamedTuple):
    """How many columns an event of a source has brought a table."""

    table: str
    source: str
    event: str | None
    """None is what is not listed for an event: of other calls all, of `track` the rest."""
    columns: int


def listed_fields(
    settings: Settings, call: str | None = None, event: str | None = None
) -> list[Listed]:
    """The fields that were seen, of one call or of all, by call, path, type and source.

    What is beyond the room of a source is one row, whose path is empty.

    Args:
        settings: Where the warehouse is.
        call: Of this call only.
        event: Of events of this name, or that fit this pattern, only.
    """
    with connect(settings, read_only=True) as con:
        events = None
        if event is not None:
            rows = con.execute("select distinct event from raw.field where event is not null")
            events = [name for (name,) in rows.fetchall() if fits(event, name)]
        fields = (Listed(*row) for row in _rows(con, call, events))
        return [
            one._replace(column_type=COLUMN_TYPES.get(str(one.column_type), one.column_type))
            for one in fields
        ]


def columns_brought(settings: Settings, call: str | None = None) -> list[Brought]:
    """To whom the columns are counted that are not there from the first day, the most first.

    Args:
        settings: Where the warehouse is.
        call: Those of this call and of what is in its arrays only.
    """
    with connect(settings, read_only=True) as con:
        if ("columns", "brought") not in tables(con):
            return []
        rows = con.execute(
            f"""
            select table_name, coalesce(source, '{UNKNOWN}'), event, count(*) from columns.brought
            where call = $1 or $1 is null group by all order by 4 desc, 1, 2, 3
            """,  # noqa: S608 - our own word
            [call],
        ).fetchall()
        return [Brought(*row) for row in rows]


def is_of(event: str | None, brought: Brought) -> bool:
    """Whether it was brought by events that fit a pattern, if there is one."""
    return event is None or (brought.event is not None and fits(event, brought.event))


def _rows(
    con: duckdb.DuckDBPyConnection, call: str | None, events: list[str] | None
) -> list[tuple[Any, ...]]:
    placed = (
        "from columns.placement"
        if ("columns", "placement") in tables(con)
        else "select null as call, null as path, null as type, null as status, "
        "null as table_name, null as column_name, null as column_type"
    )
    return con.execute(
        f"""
        with seen as (
            select call, path, type, coalesce(source, '{UNKNOWN}') as source, sum(count) as count
            from raw.field
            where (call = $1 or $1 is null) and ($2 is null or event in (select unnest($2)))
            group by all
        ),
        placed as ({placed})
        select
            seen.call, seen.path, seen.type, seen.source, seen.count::bigint,
            case when seen.path = '' then 'not listed' else coalesce(placed.status, 'new') end,
            placed.table_name || '.' || placed.column_name,
            placed.column_type
        from seen
        left join placed on seen.call = placed.call and seen.path = placed.path
            and seen.type = placed.type
        order by seen.call, seen.path, seen.type, seen.source
        """,  # noqa: S608 - our own words
        [call, events],
    ).fetchall()


def lines_of(fields: list[Listed], brought: Iterable[Brought] = ()) -> Iterator[str]:
    """Return a line for each field, and then what sums them up.

    That is a line for each table and source, and one for each of those events that brought most.
    """
    of: defaultdict[tuple[str, str], list[Listed]] = defaultdict(list)
    for one in fields:
        of[one.call, one.source].append(one)
        path = one.path or "(other fields)"
        where = f"{one.column} {one.column_type}" if one.column else one.status
        yield f"{one.call}  {path}  {one.type}  {one.source}: {one.copies}  {where}"
    for (call, source), own in sorted(of.items()):
        columns = {one.column for one in own if one.column}
        held_back = {one.path for one in own if one.status in HELD_BACK}
        beyond = sum(one.copies for one in own if not one.path)
        yield (
            f"{call} of {source}: {len(columns)} columns, {len(held_back)} fields without one, "
            f"{beyond} values of fields that are not listed"
        )
    for bringer in islice(brought, MOST):
        whose = f"{bringer.event!r} of " if bringer.event is not None else ""
        yield f"{bringer.table}: {whose}{bringer.source} has brought {bringer.columns} columns"


MOST = 20
"""How many of those that brought columns are named."""


HELD_BACK = ("too many columns", "refused")
"""Why fields have no column that could have one."""
