"""From the keys of an event to the names of columns and tables.

Snake case is Segment's own (segmentio/go-snakecase: one expression does the same, see
tests/columns/test_names.py), and of letters of any script; `__` between levels and the leading
underscore are Stitch's (docs/tables/types.md, docs/decisions/0037-letters-of-any-script.md).
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from orchestration.loading.field_paths import ITEM, Keys, path_text

SUFFIXES = {
    "varchar": "string",
    "bigint": "bigint",
    "double": "double",
    "boolean": "boolean",
    "json": "json",
}
"""Type of a column → what stands behind its name, after `__`, where a second type has its own."""

VIRTUAL = frozenset({"filename", "rowid", "snapshot_id", "file_row_number", "file_index"})
"""What DuckLake says of each row of a table, unless a column of that name hides it."""

PARTITION = "seamline_received_date"
"""What the tables on Spark are parted by (dbt_project/macros/spark/first_copies.sql): Hive finds no
partition by a name that begins as our own others do."""

LONGEST = 115
"""Bytes of a name in UTF-8, as in Redshift's columns; a suffix fits behind."""

_WORD = re.compile("[A0]+[a0]*|[a0]+")
"""A word, by the kinds of its characters."""

_KINDS = {"Lu": "A", "Lt": "A", "Ll": "a", "Lo": "a", "Lm": "a", "Nd": "0", "Nl": "0", "No": "0"}
"""Unicode's category → kind: capitals, other letters, digits; what has none parts words."""

_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Fillers and variants of a letter, which Unicode counts to letters and marks."""

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
    if len(words) > 1 and words[-1] in SUFFIXES.values():
        words[-1] += "_"  # `price__string` is for the strings of `price`
    return shortened("__".join(words))


def names_of_numbers(column: str) -> tuple[str, str, str]:
    """The columns that the numbers of a field may be in: the plain one, or its siblings."""
    base = column.removesuffix("__bigint").removesuffix("__double")
    return base, f"{base}__bigint", f"{base}__double"


def table_name(call: str, keys: Keys) -> str:
    """The table of a field: its call's, or that of the innermost array it is in."""
    array = [key for key in keys[: _last_item(keys) + 1] if key != ITEM]
    return shortened("__".join([call, *map(snake_case, array)]))


def snake_case(key: str) -> str:
    """One key: Segment's snake case; if it has neither letter nor digit, its code points."""
    # the small letter of a dotted I is two characters to Unicode, and an i to whoever types it
    seen = unicodedata.normalize("NFC", key).replace("\u0130", "I")
    text, kinds = "", ""
    for character in seen:
        kind = _kind(character)
        if kind:
            text += character
            kinds += (kinds[-1:] or " ") if kind == "mark" else kind
    words = "_".join(text[slice(*word.span())].lower() for word in _WORD.finditer(kinds))
    words = unicodedata.normalize("NFC", words)  # some letters have one form in small letters alone
    if not words:
        words = "".join(f"u{ord(character):x}" for character in key[:8]) or "empty"
    return "_" + words if key.startswith("_") and words[0] != "_" else words


@lru_cache(maxsize=4_096)
def _kind(character: str) -> str:
    """Of `_KINDS`, or a blank; a mark belongs to the letter before it; nothing if not seen."""
    category = unicodedata.category(character)
    if category == "Cf" or _UNSEEN.match(character):
        return ""
    return "mark" if category in {"Mn", "Mc"} else _KINDS.get(category, " ")


def shortened(name: str) -> str:
    """A name that every warehouse can hold: the end of a long one becomes a hash of it."""
    return name if len(_bytes(name)) <= LONGEST else _ending_in_hash(name, name)


def free_name(name: str, keys: Keys, owners: Mapping[str, Keys]) -> str:
    """The name of a field or array, if it is nobody else's; else with a hash of its path behind.

    Args:
        name: What it would be called.
        keys: Its path.
        owners: The names that are taken, with the path of each.
    """
    free, hashed = name, path_text(keys)
    while owners.get(free, keys) != keys:
        free = _ending_in_hash(name, hashed)
        hashed += "+"  # of some names the first hash may be another's
    return free


def _ending_in_hash(name: str, hashed: str) -> str:
    digest = hashlib.sha256(_bytes(hashed)).hexdigest()[:_HASH]
    return f"{_bytes(name)[: LONGEST - _HASH - 1].decode(errors='ignore')}_{digest}"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _last_item(keys: Keys) -> int:
    return max((place for place, key in enumerate(keys) if key == ITEM), default=-1)
