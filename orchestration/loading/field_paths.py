"""Paths to the fields of an event: the keys from the top, as a tuple."""

import re
from collections.abc import Collection

Keys = tuple[str, ...]

ITEM = "[]"
"""Stands among keys for an element of an array."""

ID_LIKE = "|".join(  # noqa: FLY002 - a line each
    (
        r"[0-9]+",
        r"[0-9]{4}-[0-9]{2}(-[0-9]{2}.*)?",  # a month, a day, a time
        r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        r"[0-9a-fA-F]{16,}",
        r".*[@\x00�].*",  # what the models read in the place of a NUL
        r"\[\]",  # what we mean by it would not be what the sender means
    )
)
"""A key like this is an id. DuckDB is asked the same (dbt_project/macros/payload.sql)."""

PLACE = "0|[1-9][0-9]{0,5}"
"""A key like this may be an element's place in a list with holes, which PHP writes as an object.
DuckDB is asked the same."""

_KEY = re.compile(r'"((?:[^"]|"")*)"|([^.\[\]"]+)|(\[\])')
_ID_LIKE = re.compile(ID_LIKE, re.DOTALL)
_PLACE = re.compile(PLACE)


def is_id_like(key: str) -> bool:
    """Whether a key is a value in a key's place: a number, a date, a UUID, an address.

    An object with such keys is a map from ids to something, and no id becomes a column.
    """
    return _ID_LIKE.fullmatch(key) is not None


def are_places(keys: Collection[str]) -> bool:
    """Whether the keys of an object may be places in a list: all of them, and there are some."""
    return bool(keys) and all(map(_PLACE.fullmatch, keys))


def path_text(keys: Keys) -> str:
    """A path as a person writes it: `properties.products[].price`, odd keys in quotes."""
    text = ""
    for key in keys:
        if key == ITEM:
            text += ITEM
        else:
            plain = re.fullmatch(r"[^\s.\[\]\"]+", key) is not None
            text += ("." if text else "") + (key if plain else '"' + key.replace('"', '""') + '"')
    return text


def keys_of(text: str) -> Keys:
    """The keys of a path as `path_text` writes it."""
    keys = []
    for quoted, plain, item in _KEY.findall(text):
        keys.append(ITEM if item else plain or quoted.replace('""', '"'))
    return tuple(keys)
