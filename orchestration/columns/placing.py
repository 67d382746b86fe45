"""Which column each field fills.

- A documented field has its column and type, and takes what can be read as that type.
- Any other field's column has the type of the first value: of the first load, and in it of the
  first file and line, so that rebuilt tables get the same columns.
- A value of another type goes to a sibling column, with its type behind the name.
- Numbers have one column: of whole numbers it is bigint, and double from the first fraction on,
  whenever that came. A whole number that a double does not hold goes to the column of texts then.
- An array is a JSON column and a table of its own; an object with ids for keys is a JSON column.
  Its elements are the table's, if the field is an array too and the ids can be places in one.
- What `columns.yml` says of a field goes before.
- No two fields share a column: of those of one name the first has it, others have a hash of their
  path behind it.
- The columns of a table are those first seen. Each is counted to the source that it was seen from
  first, and of its events to the one it came with. A source has `max_columns` of a table, and of
  those an event has as many as it leaves free to the others: what there is no room for gets its
  column by another source or event that sends it and has room, from then on.

Fields are placed in the order in which they were first seen, and what came later never moves what
came before: a column keeps its name and its values, and its type, but that bigint becomes double.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

from orchestration.columns.documented import ENVELOPE, RECEIPT, Documented, documented_fields
from orchestration.columns.names import (
    PARTITION,
    SUFFIXES,
    VIRTUAL,
    column_name,
    free_name,
    table_name,
)
from orchestration.columns.placement import (
    FITS,
    NUMBERS,
    SCALARS,
    Bringer,
    Fact,
    Placed,
    Placement,
)
from orchestration.columns.reading import with_reading
from orchestration.columns.rules import ColumnRules, Said
from orchestration.columns.table_columns import WITH_EVENTS, TableColumns
from orchestration.loading.field_paths import ITEM, Keys, path_text
from orchestration.loading.observed_fields import LONG

_READABLE = {
    "bigint": {"string", "double"},
    "double": {"string"},
    "boolean": {"string"},
    "timestamp": {"string"},
}
"""Type of a declared column → types of values of which some can be read as it: "39.95"."""

_RECEIPT_COLUMNS = 8  # those of the first day: by one more, a full table would lose a column

_HELD_BACK = {"too many columns", "refused", "in json"}
"""Why a field has no column, which may be otherwise where another source sends it."""


class _Widened(NamedTuple):
    column: str
    text: str | None


class _Array(NamedTuple):
    table: str
    column: str
    child_table: str


def place(
    call: str,
    facts: Iterable[Fact],
    rules: ColumnRules,
    unlisted_since: Mapping[str | None, int] = MappingProxyType({}),
) -> Placed:
    """Place all fields of a call: the documented ones, seen or not, and those that were seen.

    Args:
        call: The call.
        facts: What was seen, once for each source; of what is held back for each of its events.
        rules: What columns.yml says.
        unlisted_since: Source → the first load in which it had more fields than are listed.
    """
    documented = documented_fields(call)
    if call in rules.leave_out_tables:
        return Placed(_all_left_out(call, documented, facts), {}, set())
    # As they were first loaded: whichever type came first has the column, in any rebuild too.
    ordered = sorted(facts, key=lambda fact: (fact.first, path_text(fact.keys), fact.type))
    placed = [
        _documented_placement(call, keys, to, rules.of(call, keys))
        for keys, to in documented.items()
    ]
    placer = _Placer(call, documented, rules)
    found: dict[tuple[Keys, str], Placement] = {}
    held_back = set()
    numbers = defaultdict(list)
    waiting: defaultdict[Keys, list[Fact]] = defaultdict(list)
    to_place = deque(ordered)
    while to_place:
        fact = to_place.popleft()
        field = fact.keys, fact.type
        before = found.get(field)
        is_open = before is None or before.status in _HELD_BACK or before.lacks_sibling
        if is_open and not placer.is_as_before(fact):
            now = placer.place(fact)
            if placer.may_have_more(now):
                held_back.add(field)
            if before is None or now.status != before.status or now.sibling_name:
                found.pop(field, None)  # its place is behind all that came before it
                found[field] = _since(fact, before, now, unlisted_since)
                numbers[now.table_name, now.column_name].append(field)
            if placer.widened:
                _widen(found, numbers[now.table_name, now.column_name], placer.widened)
                placer.widened = None
            # elements of a list with holes may come before the first list without
            if array := placer.array_without_table(fact.keys):
                waiting[array].append(fact)
            if placer.has_table(fact.keys):
                to_place.extendleft(reversed(waiting.pop(fact.keys, ())))
    return Placed(list(with_reading([*placed, *found.values()])), placer.bringers(), held_back)


def _widen(
    found: dict[tuple[Keys, str], Placement], fields: Iterable[tuple[Keys, str]], to: "_Widened"
) -> None:
    """Let what is in a column of whole numbers be in a double one, or in that for texts."""
    for key in fields:
        one = found[key]
        if one.column_name != to.column:
            continue
        if one.type == LONG:
            # its place is behind all that was there when the column for it came
            found.pop(key)
            found[key] = replace(one, column_name=to.text, column_type="varchar")
        else:
            found[key] = replace(one, column_type="double")


def _since(
    fact: Fact,
    before: Placement | None,
    now: Placement,
    unlisted_since: Mapping[str | None, int],
) -> Placement:
    """Say from which load on a column holds values, if some source may have sent them before.

    Loads before have been modelled without it. A table that is built anew has to be the same.
    """
    load = fact.first[0]
    # what is listed of no event of a source any more may be of another
    was_unlisted = any(since < load for since in unlisted_since.values())
    if ITEM in fact.keys or not (before or was_unlisted) or now.status != "column":
        return now
    had_column = before is not None and before.status == "column"
    return replace(
        now,
        since_load=before.since_load if before and had_column else load,
        sibling_since_load=load,
    )


def _all_left_out(
    call: str, documented: dict[Keys, Documented], facts: Iterable[Fact]
) -> list[Placement]:
    status = "left out"
    return [
        Placement(call, path_text(keys), keys, None, status, to.column, to.type, is_declared=True)
        for keys, to in documented.items()
    ] + [
        Placement(table_name(call, fact.keys), path_text(fact.keys), (), fact.type, status)
        for fact in facts
    ]


def _documented_placement(call: str, keys: Keys, to: Documented, said: Said) -> Placement:
    is_hidden = said.is_left_out or (said.is_hashed and to.type != "varchar")
    return Placement(
        call,
        path_text(keys),
        keys,
        None,
        "left out" if is_hidden else "column",
        to.column,
        to.type,
        is_declared=True,
        is_hashed=said.is_hashed,
    )


def _declared_type(said: Said) -> str | None:
    """The type of the column of a field that `columns.yml` says something of."""
    if said.is_hashed:
        return "varchar"
    return "json" if said.is_json else SCALARS.get(said.type or "", said.type)


class _Placer:
    """Places the fields of one call, one after the other."""

    def __init__(self, call: str, documented: dict[Keys, Documented], rules: ColumnRules) -> None:
        self._call = call
        self._documented = documented
        # What the pages or columns.yml name keeps its name, whatever senders call theirs.
        self._reserved = {to.column: keys for keys, to in documented.items()} | {
            column_name(rule.path): rule.path
            for rule in rules.fields
            if call in rule.tables and ITEM not in rule.path
        }
        self._json = {keys for keys, to in documented.items() if to.type == "json"}
        self._rules = rules
        self._arrays: dict[Keys, _Array] = {}
        self._array_of_table: dict[str, Keys] = {}
        self._tables: dict[str, TableColumns] = {}
        self.widened: _Widened | None = None
        """The column of whole numbers that the last fraction has made double."""
        self._full: dict[tuple[Keys, str], tuple[str | None, TableColumns, int]] = {}

    def bringers(self) -> dict[tuple[str, str], Bringer]:
        """Who brought each column, by table and column."""
        return {
            (table, column): bringer
            for table, of_table in self._tables.items()
            for column, bringer in of_table.bringers.items()
        }

    def may_have_more(self, placed: Placement) -> bool:
        """Whether a field may have a column that it lacks where another event has it."""
        return (
            placed.lacks_sibling
            or placed.status == "too many columns"
            or (placed.status == "refused" and self._rules.refuses_by_event)
        )

    def place(self, fact: Fact) -> Placement:
        """Place one field."""
        said = self._rules.of(self._call, fact.keys)
        to = self._documented.get(fact.keys)
        status = self._no_column(fact, to, said)
        if to is None and status in {None, "nested"}:
            is_allowed = self._rules.allows_field(fact.source, fact.keys, fact.event)
            status = status if is_allowed else "refused"
        if status:
            return self._placement(fact, status)
        if to is not None:
            placed = self._to_declared(fact, to.column, to.type, said)
        else:
            name = self._free_name(column_name(fact.keys), fact)
            kind = _declared_type(said)
            placed = (
                self._to_declared(fact, name, kind, said) if kind else self._to_found(fact, name)
            )
        self._note_array(fact, placed)
        return placed

    def _no_column(self, fact: Fact, to: Documented | None, said: Said) -> str | None:
        """Why there is no column for it, if there is none."""
        is_json = said.is_json or (to is not None and to.type == "json")
        if fact.type == "map" and self._rules.hide_below(self._call, fact.keys):
            return "left out"  # as a whole it would show what is hidden
        if said.is_left_out or (to and said.is_hashed and to.type != "varchar"):
            return "left out"
        if said.is_in_json or self._is_in_json(fact.keys):
            return "in json"
        if fact.type == "object" and not is_json and not said.is_hashed:
            return "nested"
        return None

    def _is_in_json(self, keys: Keys) -> bool:
        """Whether it is below a JSON field, or in an array that has no table."""
        if ITEM not in keys:
            return any(keys[:length] in self._json for length in range(1, len(keys)))
        # An array in an array has no table of its own: no key could name it.
        return self.array_without_table(keys) is not None or (ITEM, ITEM) in pairwise(keys)

    def has_table(self, keys: Keys) -> bool:
        """Whether what is there is an array with a table of its own."""
        return keys in self._arrays

    def array_without_table(self, keys: Keys) -> Keys | None:
        """The outermost array around a field that has no table, if there is one."""
        arrays = (keys[:place] for place, key in enumerate(keys) if key == ITEM)
        return next((array for array in arrays if array not in self._arrays), None)

    def _note_array(self, fact: Fact, placed: Placement) -> None:
        """Remember an array that is a JSON column: what is in it has a table."""
        if fact.type != "array" or fact.keys[-1] == ITEM:
            return
        if placed.column_type == "json" and placed.column_name:
            at = (placed.table_name, placed.column_name)
        elif placed.sibling_type == "json" and placed.sibling_name:
            at = (placed.table_name, placed.sibling_name)
        else:
            return
        # another array's: `a.b[]` where `a` is an object, and where it is an array
        name = free_name(
            table_name(self._call, (*fact.keys, ITEM)), fact.keys, self._array_of_table
        )
        self._array_of_table[name] = fact.keys
        self._arrays[fact.keys] = _Array(*at, name)

    def _placement(self, fact: Fact, status: str, **columns: Any) -> Placement:
        keys = fact.keys
        last, array = self._array_of(keys)
        return Placement(
            self._table_name(keys),
            path_text(keys),
            keys[last + 1 :],
            fact.type,
            status,
            array_table=array.table if array else None,
            array_column=array.column if array else None,
            first=fact.first,
            **columns,
        )

    def _array_of(self, keys: Keys) -> tuple[int, _Array | None]:
        """Where the innermost array ends that a field is in, and the array if it has a table."""
        if ITEM not in keys:
            return -1, None
        last = max(place for place, key in enumerate(keys) if key == ITEM)
        return last, self._arrays.get(keys[:last])

    def _table_name(self, keys: Keys) -> str:
        array = self._array_of(keys)[1]
        if array:
            return array.child_table
        return table_name(self._call, keys) if ITEM in keys else self._call

    def _without_room(self, fact: Fact, table: TableColumns) -> Placement:
        self._full[fact.keys, fact.type] = fact.source, table, len(table.types)
        return self._placement(fact, "too many columns")

    def is_as_before(self, fact: Fact) -> bool:
        """Whether a field had no room, and has none by this event: of many that is soon asked."""
        source, table, columns = self._full.get((fact.keys, fact.type), (None, None, 0))
        return (
            table is not None
            and (source, columns) == (fact.source, len(table.types))
            and not self._rules.refuses_by_event
            and not table.has_room(Bringer(fact.source, fact.event))
        )

    def _free_name(self, name: str, fact: Fact) -> str:
        owner = self._reserved.get(name, fact.keys)
        is_taken = ITEM not in fact.keys and owner != fact.keys
        hides = ITEM not in fact.keys and (name in VIRTUAL or name == PARTITION)
        name = name + "_" if is_taken or hides or name.startswith(RECEIPT) else name
        return free_name(name, fact.keys, self._table_of(fact).owners)

    def _table_of(self, fact: Fact) -> TableColumns:
        name = self._table_name(fact.keys)
        if name not in self._tables:
            own = len(self._documented) if name == self._call else 0
            self._tables[name] = TableColumns(
                own + _RECEIPT_COLUMNS, self._rules, has_events=self._call == WITH_EVENTS
            )
        return self._tables[name]

    def _to_declared(self, fact: Fact, name: str, kind: str, said: Said) -> Placement:
        """To a column whose type does not come from the values."""
        table = self._table_of(fact)
        is_documented = fact.keys in self._documented
        if not is_documented and not table.has_or_takes(name, kind, fact):
            return self._without_room(fact, table)
        column = {"column_name": name, "column_type": kind, "is_declared": True}
        if kind == ENVELOPE or said.is_hashed or fact.type in FITS[kind]:
            return self._placement(fact, "column", is_hashed=said.is_hashed, **column)
        # The value does not fit the column that was said: it goes beside it, and none is lost.
        own = SCALARS.get(fact.type, "json")
        if fact.type not in _READABLE.get(kind, ()):
            is_text = fact.type == LONG and kind == "double"
            sibling = f"{name}__string" if is_text else table.beside(name, own)
            placed = self._to_column(fact, name, sibling, "varchar" if is_text else own)
            return replace(placed, is_beside=True)
        sibling = f"{name}__{SUFFIXES[own]}"
        if table.has_or_takes(sibling, own, fact):
            column |= {"sibling_name": sibling, "sibling_type": own}
        else:
            column |= {"lacks_sibling": True}
        return self._placement(fact, "column", **column)

    def _to_found(self, fact: Fact, name: str) -> Placement:
        """To a column of the type of its first value, or to its sibling."""
        table = self._table_of(fact)
        own = SCALARS.get(fact.type, "json")
        base = table.types.get(name, own)
        fits = own == base or {own, base} == NUMBERS
        return self._to_column(fact, name, name if fits else table.beside(name, own), own)

    def _to_column(self, fact: Fact, name: str, column: str, kind: str) -> Placement:
        """To a column whose type comes from the values.

        Args:
            fact: The field.
            name: The column that has the field's plain name.
            column: That for its values of this type.
            kind: The type that it needs to have.
        """
        table = self._table_of(fact)
        text = name if table.types.get(name) == "varchar" else f"{name}__string"
        held = table.types.get(column, kind)
        if fact.type == LONG and held == "double":
            column, held = text, "varchar"
        if not table.has_or_takes(column, held, fact):
            return self._without_room(fact, table)
        if fact.type == LONG and held == "bigint":
            table.texts[column] = text
        if kind == "double" and held == "bigint":
            if not table.widen(column, fact):
                return self._without_room(fact, table)
            held = "double"
            self.widened = _Widened(column, table.texts.get(column))
        return self._placement(fact, "column", column_name=column, column_type=held)
