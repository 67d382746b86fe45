"""`columns.yml` and the file of what was dropped beside it: read, checked, and written."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from landed.errors import ReportedError
from orchestration.columns.rules import ColumnRules, EventRules, Pattern, SourceRules


class ColumnRulesError(ReportedError):
    """`columns.yml` is not what it has to be; the text says where and what."""


def read_rules(path: Path) -> ColumnRules:
    """Read `columns.yml`, and what was dropped; without the files, nothing is said.

    Raises:
        ColumnRulesError: one is no such file, or says something it cannot.
    """
    rules = _read(path, ColumnRules)
    dropped = _read(dropped_file(path), _Dropped)
    sources = dict(rules.sources)
    for source, own in dropped.sources.items():
        sources[source] = _refusing(sources.get(source, SourceRules()), own)
    return _refusing(rules, dropped).model_copy(update={"sources": sources})


Refusing = TypeVar("Refusing", ColumnRules, SourceRules)


def _refusing(rules: Refusing, dropped: "_DroppedOfSource") -> Refusing:
    """The rules, and beside them what was dropped."""
    events = dict(rules.events)
    for event, one in dropped.events.items():
        own = events.get(event, EventRules())
        refused = own.refuse_fields + one.refuse_fields
        events[event] = own.model_copy(update={"refuse_fields": refused})
    refused = rules.refuse_fields + dropped.refuse_fields
    return rules.model_copy(update={"refuse_fields": refused, "events": events})


def dropped_file(path: Path) -> Path:
    """Where the fields stand that were dropped by a command: beside `columns.yml`."""
    return path.with_name(f"{path.stem}.dropped{path.suffix}")


class Whose(NamedTuple):
    """Of which source and event a field is dropped; None is all of them."""

    source: str | None = None
    event: str | None = None


def read_dropped(path: Path) -> dict[Whose, list[str]]:
    """Patterns of dropped fields, by whose they are.

    Args:
        path: That of `columns.yml`.

    Raises:
        ColumnRulesError: the file beside it says something it cannot.
    """
    dropped = _read(dropped_file(path), _Dropped)
    found: dict[Whose, list[str]] = {}
    for source, own in [(None, dropped), *dropped.sources.items()]:
        for event, one in [(None, own), *own.events.items()]:
            found[Whose(source, event)] = list(one.refuse_fields)
    return found


def dropped_text(dropped: Mapping[Whose, list[str]]) -> str:
    """What the file says of dropped fields."""
    said: dict[str, Any] = {}
    for whose, patterns in dropped.items():
        if patterns:
            of_source = said
            if whose.source is not None:
                of_source = said.setdefault("sources", {}).setdefault(whose.source, {})
            of_event = of_source
            if whose.event is not None:
                of_event = of_source.setdefault("events", {}).setdefault(whose.event, {})
            of_event["refuse_fields"] = patterns
    return yaml.safe_dump(said, allow_unicode=True)


class _DroppedOfEvent(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    refuse_fields: tuple[Pattern, ...] = ()


class _DroppedOfSource(_DroppedOfEvent):
    events: dict[Pattern, _DroppedOfEvent] = {}


class _Dropped(_DroppedOfSource):
    sources: dict[str, _DroppedOfSource] = {}


Rules = TypeVar("Rules", bound=BaseModel)


def _read(path: Path, kind: type[Rules]) -> Rules:
    if not path.exists():
        return kind()
    text = ""
    try:
        text = path.read_text()
        return kind.model_validate(yaml.safe_load(text) or {})
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        raise ColumnRulesError(f"{path}: {_in_words(error, text)}. Nothing was changed.") from error


def _in_words(error: Exception, text: str) -> str:
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())
    root = yaml.compose(text)
    return "; ".join(
        f"line {_line(root, one['loc'])}: {'.'.join(map(str, one['loc'])) or 'the file'}: "
        f"{one['msg']}"
        for one in error.errors()
    )


def _line(node: yaml.Node | None, place: Iterable[int | str]) -> int:
    """The line of what pydantic says the place of, as far down as the file has it."""
    line = node.start_mark.line if node else 0
    for step in place:
        if isinstance(node, yaml.MappingNode):
            found = {key.value: (key, value) for key, value in node.value}
        elif isinstance(node, yaml.SequenceNode):
            found = {place: (value, value) for place, value in enumerate(node.value)}
        else:
            break
        if step not in found:
            break
        key, node = found[step]
        line = key.start_mark.line
    return int(line) + 1
