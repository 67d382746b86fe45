"""What can be said of columns, in `columns.yml`; in_force.py says when it counts."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Literal, NamedTuple, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from orchestration.columns.documented import ENVELOPE, Documented, documented_fields
from orchestration.loading.field_budget import MAX_EVENTS
from orchestration.loading.field_paths import ITEM, Keys, keys_of, path_text

MAX_COLUMNS = 1_000

MOST_COLUMNS = 10_000
"""Columns of one table, of all sources together."""


def _keys(path: object) -> object:
    """`properties.products[].price`, or a list of the keys."""
    if isinstance(path, str):
        return keys_of(path)
    return tuple(path) if isinstance(path, list) else path


Call = Literal["alias", "group", "identify", "page", "screen", "track"]
_ALL: tuple[Call, ...] = get_args(Call)


class FieldRule(BaseModel):
    """What is said of one field, and of all below it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[tuple[str, ...], BeforeValidator(_keys), Field(min_length=1)]
    """Where it is in the event."""

    tables: tuple[Call, ...] = _ALL
    """The tables it is said for."""

    type: Literal["string", "bigint", "double", "boolean", "timestamp"] | None = None
    """The type of its column."""

    json_column: Annotated[bool, Field(alias="json")] = False
    """Keep it as one JSON column, whatever it holds."""

    leave_out: bool = False
    """No column for it; the payload in `raw` keeps it."""

    hashed: Annotated[bool, Field(alias="hash")] = False
    """Write the SHA-256 of its values in their place."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        said = sum([self.type is not None, self.json_column, self.leave_out, self.hashed])
        if said != 1:
            raise ValueError("says exactly one of type, json, leave_out and hash")
        for call in self.tables:
            self._check_documented(documented_fields(call))
        if self.hides and ITEM in self.path:
            array = path_text(self.path[: self.path.index(ITEM)])
            raise ValueError(f"{array} as a whole would still show it: leave out or hash that")
        return self

    @property
    def hides(self) -> bool:
        """Whether nobody is to see it."""
        return self.leave_out or self.hashed

    def _check_documented(self, fields: dict[Keys, Documented]) -> None:
        path = path_text(self.path)
        for length in range(1, len(self.path)):
            above = fields.get(self.path[:length])
            if above and above.type == "json":
                raise ValueError(f"{path} is in the JSON column {above.column}: say it of that")
        field = fields.get(self.path)
        if field is None:
            return
        if field.type in {ENVELOPE, "time"} or self.path == ("event",):
            raise ValueError(f"{path} is documented by Segment, and every row needs it as it is")
        if not (self.leave_out or (self.hashed and field.type == "varchar")):
            raise ValueError(
                f"{path} is documented by Segment and stays {field.type}; of such fields text can "
                "be hashed, and all can be left out"
            )


Pattern = Annotated[str, Field(min_length=1)]
"""A path or an event's name as the sender writes it; `*` stands for any text, `?` for a letter."""


class Patterns(BaseModel):
    """Which fields and events are to have columns and relations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow_fields: tuple[Pattern, ...] | None = None
    """If given, fields that none of them fits have no column; documented ones always have."""

    refuse_fields: tuple[Pattern, ...] = ()
    """Fields that have no column."""

    allow_events: tuple[Pattern, ...] | None = None
    """If given, events that none of them fits have no relation of their own."""

    refuse_events: tuple[Pattern, ...] = ()
    """Events that have no relation of their own."""

    def allows_path(self, starts: Iterable[str]) -> bool:
        """Whether a field may have a column, given its path and those of what it is in."""
        paths = list(starts)
        return _is_allowed(paths, self.allow_fields, self.refuse_fields)

    def allows_name(self, event: str) -> bool:
        """Whether an event may have a relation."""
        return _is_allowed([event], self.allow_events, self.refuse_events)


def _is_allowed(
    texts: list[str], allowed: tuple[str, ...] | None, refused: tuple[str, ...]
) -> bool:
    if any(fits(pattern, text) for pattern in refused for text in texts):
        return False
    return allowed is None or any(fits(pattern, text) for pattern in allowed for text in texts)


def fits(pattern: str, text: str) -> bool:
    """Whether a path or a name is one that a pattern means."""
    return _expression(pattern).fullmatch(text) is not None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    # not fnmatch, to which `[]` is a set of letters
    parts = (".*" if one == "*" else "." if one == "?" else re.escape(one) for one in pattern)
    return re.compile("".join(parts), re.DOTALL)


class EventRules(BaseModel):
    """What is said of the properties of some events."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_columns: Annotated[int, Field(ge=0, le=MOST_COLUMNS)] | None = None
    """Columns that each of them may bring a table; as for all events if not given."""

    refuse_fields: tuple[Pattern, ...] = ()
    """Fields that have no column because of these events."""


Events = dict[Pattern, EventRules]
"""What is said of events, by their names or by patterns; of several that fit the first counts."""


class SourceRules(Patterns):
    """What is said of one source."""

    max_columns: Annotated[int, Field(ge=0, le=MOST_COLUMNS)] | None = None
    """Columns it may bring a table beside the documented ones; as for all if not given."""

    max_columns_of_event: Annotated[int, Field(ge=0, le=MOST_COLUMNS)] | None = None
    """Columns that each of its events may bring a table; as for all if not given."""

    events: Events = {}
    """What is said of some of its events."""

    max_events: Annotated[int, Field(ge=0, le=MAX_EVENTS)] | None = None
    """Relations it may bring; as for all if not given."""


class ColumnRules(Patterns):
    """All of `columns.yml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_columns: Annotated[int, Field(ge=200, le=MOST_COLUMNS)] = MAX_COLUMNS
    """Columns of one table that one source may bring, the documented ones among them."""

    max_columns_of_event: Annotated[int, Field(ge=0, le=MOST_COLUMNS)] | None = None
    """Columns of one table that one event of a source may bring; if not given, as many as it leaves
    free to the others."""

    events: Events = {}
    """What is said of some events, of all sources."""

    max_events: Annotated[int, Field(ge=0, le=MAX_EVENTS)] = MAX_EVENTS
    """Events of one source that have a relation of their own."""

    sources: dict[str, SourceRules] = {}
    """What is said of some sources, by their names in sources.toml."""

    leave_out_tables: tuple[Call, ...] = ()
    """Tables that stay empty."""

    context_columns: Literal["all", "seen", "none"] = "all"
    """Which columns of `context` the relations for Segment Warehouses' users have."""

    hash_salt: str = ""
    """Goes before each value that is hashed."""

    fields: tuple[FieldRule, ...] = ()

    @model_validator(mode="after")
    def _hides_nothing_in_json(self) -> Self:
        for json_rule in self.fields:
            for rule in self.fields:
                is_below = rule.path[: len(json_rule.path)] == json_rule.path != rule.path
                if json_rule.json_column and is_below:
                    raise ValueError(
                        f"{path_text(rule.path)} is in the JSON column of "
                        f"{path_text(json_rule.path)}: say it of that"
                    )
        return self

    def columns_of(self, source: str | None, there: int) -> int:
        """How many columns a source may bring a table which has some from the first day."""
        own = self.sources.get(source or "")
        if own is None or own.max_columns is None:
            return self.max_columns - there
        return own.max_columns

    def columns_of_event(self, source: str | None, event: str | None, left: int) -> int:
        """How many columns an event of a source may bring a table.

        Args:
            source: The source.
            event: The event; None is all that is not listed for one, and counts as one.
            left: How many the source may still bring.
        """
        source_rules = self.sources.get(source or "", SourceRules())
        said = [
            *(one.max_columns for one in self._rules_for_event(source, event)),
            source_rules.max_columns_of_event,
            self.max_columns_of_event,
        ]
        number = next((one for one in said if one is not None), left)
        return max(number, left) if event is None else number

    def events_of(self, source: str | None) -> int:
        """How many relations of events a source may bring."""
        own = self.sources.get(source or "")
        return self.max_events if own is None or own.max_events is None else own.max_events

    def allows_field(self, source: str | None, keys: Keys, event: str | None = None) -> bool:
        """Whether a field may have a column because a source sends it, with an event."""
        rules = [
            one
            for one in self._rules_for(source)
            if one.allow_fields is not None or one.refuse_fields
        ]
        refused = [
            pattern for one in self._rules_for_event(source, event) for pattern in one.refuse_fields
        ]
        if not rules and not refused:
            return True
        starts = [path_text(keys[:length]) for length in range(1, len(keys) + 1)]
        return all(one.allows_path(starts) for one in rules) and _is_allowed(
            starts, None, tuple(refused)
        )

    @property
    def refuses_by_event(self) -> bool:
        """Whether some event may not have a column that another event of its source may have."""
        by_event = [self.events, *(one.events for one in self.sources.values())]
        return any(one.refuse_fields for events in by_event for one in events.values())

    def _rules_for_event(self, source: str | None, event: str | None) -> list[EventRules]:
        """What is said of an event: of the source's first, then of all sources'."""
        own = self.sources.get(source or "")
        by_event = [self.events] if own is None else [own.events, self.events]
        return [
            one
            for events in by_event
            for pattern, one in events.items()
            if event is not None and fits(pattern, event)
        ]

    def allows_event(self, source: str | None, event: str) -> bool:
        """Whether an event may have a relation because a source sends it."""
        return all(rules.allows_name(event) for rules in self._rules_for(source))

    def _rules_for(self, source: str | None) -> list[Patterns]:
        own = self.sources.get(source or "")
        return [self] if own is None else [self, own]

    def hide_below(self, call: str, keys: Keys) -> bool:
        """Whether something that a field holds is to be left out or hashed."""
        return any(
            rule.hides and call in rule.tables and rule.path[: len(keys)] == keys
            for rule in self.fields
        )

    def of(self, call: str, keys: Keys) -> "Said":
        """What is said of a field: by the rule for it, and by those for what it is in."""
        said = Said()
        for rule in self.fields:
            if call in rule.tables and keys[: len(rule.path)] == rule.path:
                is_own = len(keys) == len(rule.path)
                said = Said(
                    type=rule.type if rule.type and is_own else said.type,
                    is_json=said.is_json or (rule.json_column and is_own),
                    is_in_json=said.is_in_json or (rule.json_column and not is_own),
                    is_left_out=said.is_left_out or rule.leave_out,
                    is_hashed=said.is_hashed or rule.hashed,
                )
        return said


class Said(NamedTuple):
    """What `columns.yml` says of one field."""

    type: str | None = None
    is_json: bool = False
    is_in_json: bool = False
    is_left_out: bool = False
    is_hashed: bool = False
