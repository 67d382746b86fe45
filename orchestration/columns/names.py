"""From the keys of an event to the names of columns and tables.

Snake case is Segment's own (segmentio/go-snakecase: one expression does the same, see
tests/columns/test_names.py), `__` between levels and the leading underscore are Stitch's
(docs/tables/types.md).
"""

import hashlib
import re

from orchestration.loading.field_paths import ITEM, Keys

SUFFIXES = ("string", "bigint", "double", "boolean", "json")
"""What stands behind a column's name, after `__`, where a second type has a column of its own."""

VIRTUAL = frozenset({"filename", "rowid", "snapshot_id", "file_row_number", "file_index"})
"""What DuckLake says of each row of a table, unless a column of that name hides it."""

LONGEST = 115
"""Characters of a name, as in Redshift's columns; a suffix fits behind."""

_WORD = re.compile("[A-Z0-9]+[a-z0-9]*|[a-z0-9]+")
_LETTERS = re.compile(r"\w+")
_HASH = 8


def column_name(keys: Keys) -> str:
    """The column of a field: `("context", "userAgent")` → `context__user_agent`.

    Of a field in an array, the column in the array's own table: what stands behind the last
    `ITEM`, and `value` for an element that is no object.
    """
    own = keys[_last_item(keys) + 1 :]
    if not own:
        return "value"
    words = [snake_case(key) for key in own]
    if len(words) > 1 and words[-1] in SUFFIXES:
        words[-1] += "_"  # `price__string` is for the strings of `price`
    return shortened("__".join(words))


def table_name(call: str, keys: Keys) -> str:
    """The table of a field: its call's, or that of the innermost array it is in."""
    array = [key for key in keys[: _last_item(keys) + 1] if key != ITEM]
    return shortened("__".join([call, *map(snake_case, array)]))


def snake_case(key: str) -> str:
    """One key: Segment's snake case, or what is left of a name without a Latin letter or digit."""
    words = "_".join(word.lower() for word in _WORD.findall(key))
    if not words:
        words = "_".join(word.strip("_") for word in _LETTERS.findall(key.lower())).strip("_")
    if not words:
        words = "".join(f"u{ord(character):x}" for character in key[:8]) or "empty"
    return "_" + words if key.startswith("_") and words[0] != "_" else words


def shortened(name: str) -> str:
    """A name that every warehouse can hold: the end of a long one becomes a hash of it."""
    if len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    return f"{name[: LONGEST - _HASH - 1]}_{digest}"


def _last_item(keys: Keys) -> int:
    return max((place for place, key in enumerate(keys) if key == ITEM), default=-1)
