"""How much is listed of the fields that events have: so much of each source, and no more."""

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
    keys: set[Keys] = field(default_factory=set)
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
        return has_some or part.key == "event" or self._has_event_budget()

    def _has_budget(self) -> bool:
        return self.lists_new and len(self.keys) < MAX_FIELDS

    def _has_event_budget(self) -> bool:
        return self.lists_new and self.event_fields < MAX_EVENT_FIELDS

    def note(self, part: Part, seen: Seen, noted: Noted) -> None:
        """Note the fields of a part, as far as they are listed, and count the others."""
        fields: Iterable[tuple[Keys, str]] = part.fields()
        if self._has_budget() or self._has_event_budget():
            fields = sorted(fields)
        beyond = 0
        for keys, kind in fields:
            if keys not in self.keys and not self._takes(keys):
                beyond += 1
                continue
            event = part.event
            if event is not None and not self._takes_of_event(event, keys):
                event = None
            _count(noted, Field(self.source, event, keys, kind), seen)
        if beyond:
            counted = seen._replace(copies=seen.copies * beyond)
            _count(noted, Field(self.source, None, NOT_LISTED, "not listed"), counted)

    def _takes(self, keys: Keys) -> bool:
        # without its name no event would be listed
        if not self._has_budget() and not (self.lists_new and keys == _NAME):
            return False
        self.keys.add(keys)
        return True

    def _takes_of_event(self, event: str, keys: Keys) -> bool:
        listed = self.of_event[event]
        if keys not in listed:
            if not self._has_event_budget() and keys != _NAME:
                return False
            listed.add(keys)
            self.event_fields += 1
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
            source: _Budget(source, lists_new)
            for source in (source if source in own else None for source in seen)
        }
        asked = pa.array(self._budgets, pa.large_string())
        con.register("asked", pa.table({"source": asked}))
        for source, keys in self._listed("keys", "call = $1", call):
            self._budgets[source].keys.add(tuple(keys))
        if call == "track":
            self._read_events(observed)
        con.unregister("asked")

    def of(self, source: str | None) -> _Budget:
        """The budget of a source."""
        return self._budgets[source if source in self._budgets else None]

    def _listed(self, columns: str, where: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self._con.execute(
            f"""
            select distinct field.source, {columns} from raw.field
            join asked on field.source is not distinct from asked.source
            where {where}
            """,  # noqa: S608 - our own words
            parameters,
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
        for source, event, keys in self._listed("event, keys", "event in (from named)"):
            self._budgets[source].of_event[event].add(tuple(keys))
        self._con.unregister("named")
