"""Which rows of an exported table are not where they were: gone, or in another part."""

from collections.abc import Iterable

import duckdb

from orchestration.export.changes import RECEIVED_AT, rows_of


def gone_and_moved(
    con: duckdb.DuckDBPyConnection, there: tuple[str, str], ours: str, starts: list[str]
) -> tuple[list[str], list[tuple[str, str]]]:
    """Look for the rows of some hours that were exported and are not of that hour any more.

    Args:
        con: The warehouse.
        there: The database that was exported to, as it is attached, and a query of it: the ids of
            what was exported of those hours, with the hour.
        ours: The table, as SQL names it behind `from`.
        starts: The hours.

    Returns:
        The ids that are nowhere any more, and from which hour to which others have moved.
    """
    left = con.execute(
        f"""
        select message_id, start from postgres_query($1, $2)
        anti join (
            select message_id, date_trunc('hour', {RECEIVED_AT}) as start
            {rows_of(ours, "hour", starts)}
        ) using (message_id, start)
        """,  # noqa: S608 - quoted
        [*there],
    ).fetchall()
    if not left:
        return [], []
    before = dict(left)
    rows = con.execute(
        f"select message_id, date_trunc('hour', {RECEIVED_AT}) from {ours} "  # noqa: S608 - quoted
        "where message_id in (select unnest($1::varchar[]))",
        [[*before]],
    ).fetchall()
    moved = {(before[one].isoformat(), now.isoformat()) for one, now in rows}
    return sorted(before.keys() - {one for one, _ in rows}), sorted(moved)


def units(parts: Iterable[str], moved: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Sort parts into those between which rows move.

    Args:
        parts: The parts.
        moved: From which to which.
    """
    of = {part: [part] for part in parts}
    for one, other in moved:
        if one in of and other in of and of[one] is not of[other]:
            of[one] += of[other]
            for part in of[other]:
                of[part] = of[one]
    return list({id(unit): unit for unit in of.values()}.values())
