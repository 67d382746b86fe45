"""Fields that were dropped by a command: no column is theirs, until they are taken back.

They stand beside columns.yml, in a file of the same words, so that a warehouse that is made again
from the files has the same columns.
"""

from dataclasses import dataclass, field

from landed.errors import ReportedError
from orchestration.columns.columns_yml import (
    Whose,
    dropped_file,
    dropped_text,
    read_dropped,
    read_rules,
)
from orchestration.columns.listing import Listed, listed_fields
from orchestration.durable_files import write_whole
from orchestration.models import run
from orchestration.settings import Settings

_HEAD = (
    "# Written by `seamline columns --drop` and `--take-back`; read together with columns.yml.\n"
)


class NothingFitsError(ReportedError):
    """A pattern is about nothing."""


@dataclass
class Changed:
    """What a command has changed, by table."""

    columns: dict[str, set[str]] = field(default_factory=dict)

    def report(self, done: str) -> str:
        """Say so in a line."""
        counts = ", ".join(f"{len(own)} of {call}" for call, own in sorted(self.columns.items()))
        return f"Columns {done}: {counts or 'none'}"


def drop(settings: Settings, pattern: str, source: str | None, event: str | None = None) -> Changed:
    """Take the columns of some fields away; the payload in raw keeps their values.

    Their places are free, and their tables are built anew: fields that had none may have them then.

    Args:
        settings: Where the warehouse is.
        pattern: Which fields.
        source: Of this source only.
        event: Of events of this name, or that fit this pattern, only: what others send stays.

    Raises:
        NothingFitsError: no field with a column fits; nothing was changed.
        DbtFailedError: a model failed; the columns of those that were built are gone.
    """
    read_rules(settings.columns)  # what is wrong there is said before anything is written
    calls = _calls(settings, pattern, source, event)
    if not calls:
        raise NothingFitsError(
            f"No field fits {pattern}. `seamline columns` lists them; nothing was changed."
        )
    dropped = read_dropped(settings.columns)
    patterns = dropped.setdefault(Whose(source, event), [])
    if pattern not in patterns:
        patterns.append(pattern)
    before = _columns(listed_fields(settings))
    _write(settings, dropped)
    return _build(settings, calls, before)


def take_back(
    settings: Settings, pattern: str, source: str | None, event: str | None = None
) -> Changed:
    """Let fields that were dropped have columns again, as far as there is room.

    Args:
        settings: Where the warehouse is.
        pattern: As they were dropped by; source and event likewise.
        source: Likewise.
        event: Likewise.

    Raises:
        NothingFitsError: no such pattern was dropped; nothing was changed.
        DbtFailedError: as `drop`.
    """
    dropped = read_dropped(settings.columns)
    whose = Whose(source, event)
    if pattern not in dropped.get(whose, []):
        of = "".join(f" of {name}" for name in (event, source) if name)
        raise NothingFitsError(
            f"{pattern} was not dropped{of}: {dropped_file(settings.columns)} has what was. "
            "Nothing was changed."
        )
    dropped[whose].remove(pattern)
    before = _columns(listed_fields(settings))
    _write(settings, dropped)
    return _build(settings, _calls(settings, pattern, source, event), before, is_back=True)


def _calls(settings: Settings, pattern: str, source: str | None, event: str | None) -> list[str]:
    """The calls that have fields that fit."""
    fields = listed_fields(settings, event=event)
    return sorted({one.call for one in fields if one.path and one.fits(pattern, source)})


def _build(
    settings: Settings, calls: list[str], before: dict[str, set[str]], *, is_back: bool = False
) -> Changed:
    if calls:
        run.require_own(run.build_anew(settings, calls))
    after = _columns(listed_fields(settings))
    old, new = (after, before) if is_back else (before, after)
    changed = {call: own - new.get(call, set()) for call, own in old.items()}
    return Changed({call: own for call, own in changed.items() if own})


def _columns(fields: list[Listed]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in fields:
        if one.column:
            found.setdefault(one.call, set()).add(one.column)
    return found


def _write(settings: Settings, dropped: dict[Whose, list[str]]) -> None:
    write_whole(dropped_file(settings.columns), (_HEAD + dropped_text(dropped)).encode())
