"""How much is listed of the fields that events have: so much of each source, and no more.

Of what a source may have listed of `track`, one event may have as much as it leaves to the others.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from orchestration.loading.field_paths import Keys
from orchestration.loading.observed_fields import Observed, Part, Seen

log = logging.getLogger(__name__)

MAX_EVENTS = 1_000
"""Names of events of one source whose properties are listed apart, those first seen."""

MAX_FIELDS = 20_000
"""Fields of one call and source that are listed, those first seen. The payload keeps the others."""

MAX_EVENT_FIELDS = 50_000
"""Properties of one source's events that are listed event by event; others of all together."""

MAX_SOURCES = 100
"""Sources that have such budgets of their own, those first seen. All others share one."""

NOT_LISTED: Keys = ()
"""Stands for what of a source is beyond its budget: counted in one row."""

_NAME = ("event",)


class Field(NamedTuple):
    """What is counted apart; `event` is set for the name of a track and its properties."""

    source: str | None
    event: str | None
    keys: Keys
    type: str


Noted = dict[Field, Seen]


@dataclass(eq=False)
class _Budget:
    """What is listed of one call of one source, and may be."""

    source: str | None
    lists_new: bool
    has_events: bool
    keys: set[Keys] = field(default_factory=set)
    without_event: int = 0
    """How many of `keys` were first listed for no event."""
    events: set[str] = field(default_factory=set)
    of_event: defaultdict[str, set[Keys]] = field(default_factory=lambda: defaultdict(set))
    event_fields: int = 0

    def listed(self, event: str | None) -> str | None:
        """The name of an event, if it is listed."""
        return event if event in self.events else None

    def lists_fields_of(self, part: Part) -> bool:
        """Whether anything of a part is listed for its event."""
        if part.event is None:
            return False
        has_some = len(self.of_event[part.event]) > 1  # more than the name
        return has_some or part.key == "event" or self._has_event_budget(part.event)

    def _has_event_budget(self, event: str) -> bool:
        left = MAX_EVENT_FIELDS - self.event_fields
        return self.lists_new and len(self.of_event[event]) < left

    def note(self, part: Part, seen: Seen, noted: Noted) -> bool:
        """Note the fields of a part, as far as they are listed, and count the others.

        Returns:
            Whether what is listed of them is so whoever sends them.
        """
        fields: Iterable[tuple[Keys, str]] = part.fields()
        if self.lists_new:
            fields = sorted(fields)
        beyond = 0
        for keys, kind in fields:
            event = self._listed_for(part.event, keys)
            if keys not in self.keys and not self._takes(event, keys):
                beyond += 1
                continue
            if event is not None and keys not in self.of_event[event]:
                self.of_event[event].add(keys)
                self.event_fields += 1
            _count(noted, Field(self.source, event, keys, kind), seen)
        if beyond:
            counted = seen._replace(copies=seen.copies * beyond)
            _count(noted, Field(self.source, None, NOT_LISTED, "not listed"), counted)
        return not beyond or not self._left()

    def _listed_for(self, event: str | None, keys: Keys) -> str | None:
        """For which event a field is listed if it is."""
        if event is None:
            return None
        is_own = keys in self.of_event[event] or keys == _NAME or self._has_event_budget(event)
        return event if is_own else None

    def _left(self) -> int:
        return MAX_FIELDS - len(self.keys) if self.lists_new else 0

    def _takes(self, event: str | None, keys: Keys) -> bool:
        """Whether one more is listed, for an event or for none, which has as much as an event."""
        left = self._left()
        listed = self.without_event if event is None else len(self.of_event[event])
        has_room = left > 0 and (not self.has_events or listed < left)
        # without its name no event would be listed
        if not has_room and not (self.lists_new and keys == _NAME):
            return False
        self.keys.add(keys)
        self.without_event += event is None
        return True


def _count(noted: Noted, one: Field, seen: Seen) -> None:
    noted[one] = noted[one].plus(seen) if one in noted else seen


class Budgets:
    """The budgets of the sources that are in a load."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, call: str, observed: Observed, *, lists_new: bool
    ) -> None:
        """Ask what is listed of these sources, and of no others."""
        self._con = con
        known = {
            source for (source,) in con.execute("select distinct source from raw.field").fetchall()
        }
        seen = dict.fromkeys(part.source for part, _ in observed)
        new = [source for source in seen if source is not None and source not in known]
        free = MAX_SOURCES - len(known - {None})
        own = (known & seen.keys()) | set(new[: max(0, free)])
        self._budgets = {
            source: _Budget(source, lists_new, has_events=call == "track")
            for source in (source if source in own else None for source in seen)
        }
        asked = pa.array(self._budgets, pa.large_string())
        con.register("asked", pa.table({"source": asked}))
        for source, keys, event in self._first_listed(call):
            self._budgets[source].keys.add(tuple(keys))
            self._budgets[source].without_event += event is None
        if call == "track":
            self._read_events(observed)
        con.unregister("asked")

    def of(self, source: str | None) -> _Budget:
        """The budget of a source."""
        return self._budgets[source if source in self._budgets else None]

    def _first_listed(self, call: str) -> list[tuple[Any, ...]]:
        """What is listed, each field once, with the event for which it was listed first."""
        return self._con.execute(
            """
            select source, keys, first.event from (
                select field.source, keys, min(struct_pack(
                    load := first_load_id, file := first_file, line := first_line, event := event
                )) as first
                from raw.field join asked on field.source is not distinct from asked.source
                where call = $1 and path <> '' group by all
            )
            """,
            [call],
        ).fetchall()

    def _read_events(self, observed: Observed) -> None:
        """Read which events are listed, and what of those that are seen."""
        for source, event, count in self._con.execute(
            """
            select field.source, event, count(distinct path) from raw.field
            join asked on field.source is not distinct from asked.source
            where event is not null group by all
            """
        ).fetchall():
            self._budgets[source].events.add(event)
            self._budgets[source].event_fields += count
        named = [
            (self.of(part.source), part.event) for part, _ in observed if part.event is not None
        ]
        left_out = 0
        for budget, event in dict(zip(named, named, strict=True)):
            if event not in budget.events:
                if budget.lists_new and len(budget.events) < MAX_EVENTS:
                    budget.events.add(event)
                else:
                    left_out += budget.lists_new
        if left_out:
            log.warning(
                "More than %d names of events of one source: the properties of the others are "
                "listed together, and they get no table of their own.",
                MAX_EVENTS,
            )
        names = pa.array({event for _, event in named}, pa.large_string())
        self._con.register("named", pa.table({"event": names}))
        for source, event, keys in self._con.execute(
            """
            select distinct field.source, event, keys from raw.field
            join asked on field.source is not distinct from asked.source
            where event in (from named)
            """
        ).fetchall():
            self._budgets[source].of_event[event].add(tuple(keys))
        self._con.unregister("named")
