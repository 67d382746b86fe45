"""By which rules each table is built, and when those that columns.yml says now take their place.

A table goes by the rules it was built with (`columns.rules`), so that a table that is built anew
has the same rows. Others take their place

- with the next run of its models, as far as they change nothing of what the table holds: those of
  fields that no event in it has;
- with a full refresh of the table, in the transaction that exchanges it
  (dbt_project/macros/rules_in_force.sql). Until then they are `coming`; if the refresh ends before,
  the table goes on by the rules it had, and no other table minds.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

import duckdb
from pydantic import ValidationError

from orchestration.columns.documented import CALLS
from orchestration.columns.placement import Placement
from orchestration.columns.rules import MOST_COLUMNS, ColumnRules, FieldRule
from orchestration.columns.seen_fields import SeenFields
from orchestration.loading.field_paths import Keys, path_text
from orchestration.warehouse.catalog import full_name, tables
from orchestration.warehouse.transaction import transaction

_OF_RELATIONS = {"max_events", "allow_events", "refuse_events", "context_columns"}
"""What is said of relations for Segment Warehouses' users: they are views, and go by it at once."""

_ASKED_OTHERWISE = {"fields", "leave_out_tables", *_OF_RELATIONS}

_NAMED = 5


@dataclass
class Force:
    """The rules of each table."""

    in_force: dict[str, ColumnRules]
    """Call → by which its table was built."""
    coming: dict[str, ColumnRules] = field(default_factory=dict)
    """Call → by which it is about to be built anew."""
    compared: dict[str, ColumnRules] = field(default_factory=dict)
    """Call → what columns.yml says, if none of it can be in force without a full refresh: this is
    not looked for again, as what a table holds does not become less."""
    waiting: dict[str, list[str]] = field(default_factory=dict)
    """Call → what columns.yml says otherwise, and what waits for a full refresh of its table."""

    def of_tables(self) -> dict[str, ColumnRules]:
        """Call → by which rules its fields are to be placed now."""
        return self.in_force | self.coming


def rules_in_force(con: duckdb.DuckDBPyConnection) -> dict[str, ColumnRules]:
    """Call → the rules that its table was built with."""
    rows = con.execute("select call, rules from columns.rules").fetchall()
    # an earlier version kept them for all tables, and none where nothing was said
    of_all = next((rules for call, rules in rows if call is None), "{}")
    kept = {call: rules for call, rules in rows if call is not None}
    # and it knew no limit for an event
    earlier = {"max_columns_of_event": MOST_COLUMNS}
    return {
        call: ColumnRules.model_validate(earlier | json.loads(kept.get(call, of_all)))
        for call in CALLS
    }


def keep(con: duckdb.DuckDBPyConnection, force: Force) -> None:
    """Write down the rules of each table, if they are others than those there are."""
    wanted = [
        (
            call,
            *(
                rules[call].model_dump_json(by_alias=True) if call in rules else None
                for rules in (force.in_force, force.coming, force.compared)
            ),
        )
        for call in sorted(CALLS)
    ]
    columns = "call, rules, coming, compared"
    query = f"select {columns} from columns.rules order by call"  # noqa: S608 - our own words
    if con.execute(query).fetchall() != wanted:
        with transaction(con):
            con.execute("delete from columns.rules")
            con.executemany(
                f"insert into columns.rules ({columns}) values (?, ?, ?, ?)",  # noqa: S608
                wanted,
            )


def put_in_force(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    wanted: ColumnRules,
    *,
    built: Collection[str],
    is_anew: bool,
) -> Force:
    """Decide by which rules each table goes, and write it down.

    Args:
        con: The warehouse.
        schema: Where the final tables are.
        wanted: What columns.yml says.
        built: Calls whose staging views and tables the command builds.
        is_anew: Whether it builds them from all rows.
    """
    force = Force(rules_in_force(con))
    there = tables(con)
    changed = [call for call in CALLS if force.in_force[call] != wanted]
    compared = _compared_before(con)
    seen: SeenFields | None = None
    for call in changed:
        old = possible = force.in_force[call]
        if (schema, call) not in there:
            force.in_force[call] = wanted
            continue
        if is_anew and call in built:
            force.coming[call] = wanted
            continue
        if compared.get(call) != wanted:
            seen = seen or SeenFields(con)
            possible = _Table(con, schema, call, seen).changing_nothing(old, wanted)
        if possible == old:
            force.compared[call] = wanted
        elif call in built:
            force.in_force[call] = possible
        if possible != wanted:
            force.waiting[call] = list(_differences(call, possible, wanted))
    keep(con, force)
    return force


def _compared_before(con: duckdb.DuckDBPyConnection) -> dict[str, ColumnRules]:
    rows = con.execute("select call, compared from columns.rules where compared is not null")
    return {call: ColumnRules.model_validate_json(rules) for call, rules in rows.fetchall()}


class _Table:
    """A final table, and the fields that its events have."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, schema: str, call: str, seen: SeenFields
    ) -> None:
        self._call = call
        self._seen = seen
        name = full_name(schema, call)
        ((last,),) = con.execute(
            f"select coalesce(max(_seamline_load_id), 0) from {name}"  # noqa: S608 - our own
        ).fetchall()
        self._last_load = last
        self._types = {
            column: kind.lower() for column, kind, *_ in con.execute(f"describe {name}").fetchall()
        }
        self._held: set[Keys] = {fact.keys for fact in seen.seen(call, last)}
        # what is not listed may be anything
        self._is_all_listed = not seen.unlisted_since(call, last)

    def changing_nothing(self, old: ColumnRules, wanted: ColumnRules) -> ColumnRules:
        """Of what is said otherwise as much as changes nothing of what the table holds."""
        if self._is_same(old, wanted):
            return wanted
        added = [rule for rule in wanted.fields if rule not in old.fields and self._has_none(rule)]
        removed = [rule for rule in old.fields if rule not in wanted.fields]
        left = [rule for rule in removed if not self._has_none(rule)]
        kept = [rule for rule in wanted.fields if rule in old.fields or rule in added]
        salt = old.hash_salt if _hashes(old) else wanted.hash_salt
        some = old.model_copy(update={"fields": (*kept, *left), "hash_salt": salt})
        return some if some != old and _can_be(some) and self._is_same(old, some) else old

    def _has_none(self, rule: FieldRule) -> bool:
        """Whether the table holds no event with a field that a rule is about."""
        if self._call not in rule.tables:
            return True
        length = len(rule.path)
        return self._is_all_listed and all(keys[:length] != rule.path for keys in self._held)

    def _is_same(self, old: ColumnRules, new: ColumnRules) -> bool:
        """Whether the rows that the table holds are the same by both."""
        if self._held and old.hash_salt != new.hash_salt and _hashes(old):
            return False
        by_old = self._seen.place(self._call, old, self._last_load).placements
        by_new = self._seen.place(self._call, new, self._last_load).placements
        if list(self._values(by_old)) != list(self._values(by_new)):
            return False
        # a column may be there of which no row has a value
        of_old = self._columns(self._seen.place(self._call, old).placements)
        of_new = self._columns(self._seen.place(self._call, new).placements)
        return all(
            of_new.get(name) == of_old.get(name, kind)
            for name, kind in self._types.items()
            if name in of_old or name in of_new
        )

    def _values(self, placements: Iterable[Placement]) -> Iterator[tuple[object, ...]]:
        """What decides about the values in a table and in those of its arrays."""
        for one in placements:
            if one.type or one.keys in self._held or not self._is_all_listed:
                yield (
                    *(one.table_name, one.path, one.type, one.status, one.is_hashed),
                    *(one.column_name, one.column_type, one.sibling_name, one.sibling_type),
                    *(one.since_load, one.sibling_since_load, one.array_column),
                )

    def _columns(self, placements: Iterable[Placement]) -> dict[str, str | None]:
        """Those columns and their types that are not there from the first day."""
        documented = {one.column_name for one in placements if one.type is None}
        found: dict[str, str | None] = {}
        for one in placements:
            if one.table_name == self._call and one.type is not None:
                found |= {one.column_name or "": one.column_type}
                found |= {one.sibling_name or "": one.sibling_type}
        return {name: kind for name, kind in found.items() if name and name not in documented}


def _hashes(rules: ColumnRules) -> bool:
    return any(rule.hashed for rule in rules.fields)


def _can_be(rules: ColumnRules) -> bool:
    """Whether rules of then and of now go together: a JSON column shows nothing that is hidden."""
    try:
        ColumnRules.model_validate(rules.model_dump(by_alias=True))
    except ValidationError:
        return False
    return True


def _differences(call: str, old: ColumnRules, new: ColumnRules) -> Iterator[str]:
    """What two say otherwise of one table, in the words of columns.yml."""
    paths = [
        path_text(rule.path)
        for rule in dict.fromkeys((*new.fields, *old.fields))
        if call in rule.tables and (rule in old.fields) != (rule in new.fields)
    ]
    yield from dict.fromkeys(paths)
    if (call in old.leave_out_tables) != (call in new.leave_out_tables):
        yield "leave_out_tables"
    for name in ColumnRules.model_fields:
        if name not in _ASKED_OTHERWISE and getattr(old, name) != getattr(new, name):
            yield name


def in_a_line(waiting: dict[str, list[str]]) -> str:
    """Which rules wait, table by table."""
    return "; ".join(
        f"{call} ({', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''})"
        for call, names in sorted(waiting.items())
    )
