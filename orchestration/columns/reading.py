"""How the payload is read for the fields that have columns, together as far as that goes."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from orchestration.columns.documented import ENVELOPE
from orchestration.columns.placement import FITS, NUMBERS, Placement
from orchestration.loading.field_paths import Keys


def with_reading(placed: list[Placement]) -> Iterator[Placement]:
    """Say how each field is read: as a type where all its values are of that, else as JSON."""
    types: dict[tuple[str, Keys], set[str]] = defaultdict(set)
    for one in placed:
        if one.type:
            types[one.table_name, one.keys].add(one.type)
    together = defaultdict(set)
    wanted = defaultdict(set)
    for one in placed:
        if _is_read(one):
            together[one.table_name].add(one.keys)
            wanted[one.table_name, one.keys].add(_read_as(one, types[one.table_name, one.keys]))
            if one.type == "double" and one.since_load is not None:
                # of earlier loads the whole numbers alone
                wanted[one.table_name, one.keys].add("json")
    apart = {table: _apart(paths) for table, paths in together.items()}
    for one in placed:
        if not _is_read(one):
            yield one
        elif not one.keys:  # an element itself, which is JSON
            yield replace(one, read_as="json")
        elif one.keys in apart[one.table_name]:
            yield replace(one, read_as="json", is_apart=True)
        else:
            kinds = wanted[one.table_name, one.keys]
            yield replace(one, read_as=next(iter(kinds)) if len(kinds) == 1 else "json")


def _is_read(one: Placement) -> bool:
    return one.status == "column" and one.column_type != ENVELOPE


def _read_as(one: Placement, types: set[str]) -> str:
    kind = one.column_type or "json"
    if one.is_declared:
        is_fit = types <= FITS[kind]
        if kind == "time":
            return "varchar" if is_fit else "json"
        return kind if is_fit else "json"
    if len(types) == 1 or (kind in NUMBERS and types <= FITS[kind]):
        return kind
    return "json"


def _apart(paths: set[Keys]) -> set[Keys]:
    """The paths that cannot be read as one structure with the others.

    Those that lead to others, as a value is either an object or not; those with a key that is
    another's but for its case, as DuckDB tells no such names apart; and those with an empty key.
    """
    spelt: dict[Keys, Keys] = {}
    inner = {path[:length] for path in paths for length in range(1, len(path))}
    apart = set()
    for path in sorted(paths):
        for length in range(1, len(path) + 1):
            start = path[:length]
            folded = tuple(key.lower() for key in start)
            if spelt.setdefault(folded, start) != start:
                apart.add(path)
                break
        if path in inner or "" in path:
            apart.add(path)
    return apart
