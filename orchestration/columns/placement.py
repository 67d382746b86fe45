"""Where fields were seen, and where their values go: what is placed, and what comes of it."""

from dataclasses import dataclass
from typing import NamedTuple

from orchestration.loading.field_paths import Keys
from orchestration.loading.observed_fields import LONG

SCALARS = {
    "string": "varchar",
    "bigint": "bigint",
    LONG: "bigint",
    "double": "double",
    "boolean": "boolean",
}
"""Type of a value → type of its column."""

NUMBERS = {"bigint", "double"}
"""Types of columns for numbers."""

FITS: dict[str, set[str]] = {
    "varchar": {"string", "bigint", LONG, "double", "boolean"},
    "bigint": {"bigint", LONG},
    "double": {"bigint", "double"},
    "boolean": {"boolean"},
    "time": {"string"},
    "timestamp": set(),
    "json": {*SCALARS, "array", "object", "map"},
}
"""Type of a declared column → types of values that it takes. `time` is a clock of the event's own,
which dbt_project/macros/times.sql reads."""

Place = tuple[int, str, int]
"""Load, file, line."""


class Fact(NamedTuple):
    """A field of some type, and where it was first seen."""

    keys: Keys
    type: str
    first: Place
    source: str | None = None
    """From whom."""
    event: str | None = None
    """With which event of that source; None for what is not listed for one."""


@dataclass(frozen=True)
class Placement:
    """Where the values go that one field has of one type.

    Attributes:
        table_name: the table; another than the call's for what is in an array.
        path: where it is in the event.
        keys: the same, from the top of the event or, in an array, of its element.
        type: the type of the values; None for a documented field, seen or not.
        status: `column`; or why there is none: `nested` (its own fields have columns), `in json`
            (it is in a column above it), `left out` and `refused` (by columns.yml), `too many
            columns`.
        sibling_name: where those go that a declared column cannot read.
        read_as: the type as which the payload is read at this path, `json` if that is not enough.
        is_beside: its column is beside a declared one, which does not take values of this type.
        is_apart: it cannot be read together with the other fields.
        array_table, array_column: where the array is, for what is in one.
        since_load: the load with which the column begins, if it can have been in earlier events.
        sibling_since_load: likewise of the sibling.
        lacks_sibling: there was no room for one.
        first: where it was first seen, of what has been seen.
    """

    table_name: str
    path: str
    keys: Keys
    type: str | None
    status: str
    column_name: str | None = None
    column_type: str | None = None
    sibling_name: str | None = None
    sibling_type: str | None = None
    read_as: str | None = None
    is_apart: bool = False
    is_declared: bool = False
    is_beside: bool = False
    is_hashed: bool = False
    array_table: str | None = None
    array_column: str | None = None
    since_load: int | None = None
    sibling_since_load: int | None = None
    lacks_sibling: bool = False
    first: Place | None = None


class Bringer(NamedTuple):
    """To whom a column is counted."""

    source: str | None
    event: str | None


class Placed(NamedTuple):
    """All fields of a call, and what their columns are counted to."""

    placements: list[Placement]
    bringers: dict[tuple[str, str], Bringer]
    """Table and column → who brought it; not for those that are there from the first day."""
    held_back: set[tuple[Keys, str]]
    """Fields that had no column when they were first seen, and may have one by another event of the
    same source. What has its column keeps it, whoever sends it."""
