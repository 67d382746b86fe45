"""Which columns of a final table have one of their own in PostgreSQL, and what they are called.

A row there has room for some 290 texts, and a table for 1,600 columns in all its life, while a
final table may have a thousand. So the documented columns have their own, and the first of those
that were found; what the others have is in one JSON column. A column keeps what it was given.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping

from orchestration.columns.documented import RECEIPT_COLUMNS, documented_fields

MORE = "_seamline_more"
"""The JSON column; senders can have none whose name begins so."""

FOUND = 200
"""How many columns that are not documented have one of their own."""

LONGEST_NAME = 63
"""Bytes of a name: what is longer PostgreSQL cuts, and two may be one then."""

_HASH = 8

_SYSTEMS = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", MORE}
"""Columns that every table there has."""


def is_documented(table: str, column: str) -> bool:
    """Whether every such table has a column, whatever is sent; no sender brings one that is."""
    fields = documented_fields(table).values()
    return column in RECEIPT_COLUMNS or column in {field.column for field in fields}


def own_columns(
    table: str,
    columns: Iterable[str],
    known: Collection[str],
    names: Mapping[str, str],
    taken: Collection[str],
    room: int,
) -> dict[str, str]:
    """The columns that have one of their own, each with its name there.

    Args:
        table: The final table.
        columns: Its columns, the first found first.
        known: Those that were exported before: each stays where it is.
        names: Those of them that have one of their own, with its name.
        taken: The names of all columns there, a user's too.
        room: How many columns can be added there.
    """
    own = {column: names[column] for column in columns if column in names}
    used = {name.lower() for name in (*taken, *names.values(), *_SYSTEMS)}
    found = sum(not is_documented(table, column) for column in own)
    new = [column for column in columns if column not in known and column not in names]
    for column in sorted(new, key=lambda one: not is_documented(table, one)):
        is_found = not is_documented(table, column)
        if room <= 0 or (is_found and found >= FOUND):
            continue
        own[column] = _free_name(column, used)
        used.add(own[column].lower())
        found += is_found
        room -= 1
    return own


def _free_name(column: str, used: Collection[str]) -> str:
    """A column's name, if it is not too long and nobody else's; else with a hash of it behind."""
    name, hashed = column, column
    while len(name.encode()) > LONGEST_NAME or name.lower() in used:
        digest = hashlib.sha256(hashed.encode()).hexdigest()[:_HASH]
        beginning = column.encode()[: LONGEST_NAME - _HASH - 1].decode(errors="ignore")
        name = f"{beginning}_{digest}"
        hashed += "+"  # of some names the first hash may be another's
    return name
