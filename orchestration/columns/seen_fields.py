"""The fields that were seen, as `raw.field` lists them, placed by some rules."""

from collections import defaultdict

import duckdb
import pyarrow as pa

from orchestration.columns.placement import Fact, Placed
from orchestration.columns.placing import place
from orchestration.columns.rules import ColumnRules
from orchestration.columns.table_columns import WITH_EVENTS
from orchestration.loading.field_paths import Keys

Fields = set[tuple[Keys, str]]
"""Fields and types."""


class SeenFields:
    """What was seen of all calls."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        """Ask what was seen, once for each source."""
        self._con = con
        self._facts = _facts(con)
        self._unlisted_since = _unlisted_since(con)

    def place(self, call: str, rules: ColumnRules, last_load: int | None = None) -> Placed:
        """Place the fields of a call by some rules.

        Args:
            call: The call.
            rules: The rules.
            last_load: Only what was seen up to this load.
        """
        facts = self.seen(call, last_load)
        unlisted = self.unlisted_since(call, last_load)
        # With whom else a field came is asked only of the few that have no column by their first
        # event: events times properties are many. First of those that had none last time.
        asked: Fields = set()
        held_back = _held_back_before(self._con) if call == WITH_EVENTS else set()
        facts += self._with_events(held_back, facts, last_load)
        while True:
            placed = place(call, facts, rules, unlisted)
            asked |= held_back
            held_back = placed.held_back - asked
            more = self._with_events(held_back, facts, last_load) if call == WITH_EVENTS else []
            if not more:
                return placed
            facts += more

    def seen(self, call: str, last_load: int | None = None) -> list[Fact]:
        """What was seen of a call, up to some load."""
        return [
            fact for fact in self._facts[call] if last_load is None or fact.first[0] <= last_load
        ]

    def unlisted_since(self, call: str, last_load: int | None = None) -> dict[str | None, int]:
        """Source → the first load in which it had more fields than are listed."""
        return {
            source: load
            for source, load in self._unlisted_since[call].items()
            if last_load is None or load <= last_load
        }

    def _with_events(self, fields: Fields, known: list[Fact], last_load: int | None) -> list[Fact]:
        """What else was seen of some fields: once for each source and event."""
        if not fields:
            return []
        keys, types = zip(*fields, strict=True)
        asked = {"keys": pa.array(keys, pa.list_(pa.large_string())), "type": pa.array(types)}
        self._con.register("asked", pa.table(asked))
        rows = self._con.execute(
            """
            select keys, type, min((first_load_id, first_file, first_line)), source, event
            from raw.field semi join asked using (keys, type)
            where call = $1 and ($2 is null or first_load_id <= $2)
            group by keys, type, source, event
            """,
            [WITH_EVENTS, last_load],
        ).fetchall()
        self._con.unregister("asked")
        there = set(known)
        facts = (Fact(tuple(keys), kind, tuple(at), *whose) for keys, kind, at, *whose in rows)
        return [fact for fact in facts if fact not in there]


def _facts(con: duckdb.DuckDBPyConnection) -> dict[str, list[Fact]]:
    """What was seen of each call, once for each source, with the event it came with first."""
    found = defaultdict(list)
    # Over all events of a track: a property's column is the table's, whichever event has it.
    rows = con.execute(
        "select call, keys, type, source, min((first_load_id, first_file, first_line, event)) "
        "from raw.field where path <> '' group by call, keys, type, source"
    ).fetchall()
    for call, keys, kind, source, (*first, event) in rows:
        found[call].append(Fact(tuple(keys), kind, tuple(first), source, event))
    return found


def _held_back_before(con: duckdb.DuckDBPyConnection) -> Fields:
    """The fields that had no column when they were placed last, or had none at first."""
    rows = con.execute(
        """
        select distinct field.keys, field.type from columns.placement
        join raw.field using (call, path, type)
        where call = $1 and (status = 'too many columns' or sibling_since_load is not null)
        """,
        [WITH_EVENTS],
    ).fetchall()
    return {(tuple(keys), kind) for keys, kind in rows}


def _unlisted_since(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str | None, int]]:
    """Call → source → the first load in which it had more fields than are listed."""
    found: dict[str, dict[str | None, int]] = defaultdict(dict)
    rows = con.execute(
        "select call, source, min(first_load_id) from raw.field where path = '' group by all"
    ).fetchall()
    for call, source, load in rows:
        found[call][source] = load
    return found
