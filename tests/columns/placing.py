"""Fields as they are placed: what the tests of placement ask for and look at."""

from collections.abc import Container

from orchestration.columns.placement import Fact, Placement
from orchestration.columns.placing import place
from orchestration.columns.rules import ColumnRules
from orchestration.loading.field_paths import ITEM

NO_RULES = ColumnRules()
RECEIPT_COLUMNS = 8


def placed(
    *facts: tuple[str, str], call: str = "track", rules: ColumnRules = NO_RULES
) -> dict[tuple[str, str], Placement]:
    """Place fields seen in this order, each a path and a type."""
    numbered = [
        Fact(_keys(path), kind, (1, "file", number), event=f"E{number}")
        for number, (path, kind) in enumerate(facts)
    ]
    return {
        (one.path, one.type): one for one in place(call, numbered, rules).placements if one.type
    }


def columns(found: dict[tuple[str, str], Placement]) -> list[tuple[str | None, str | None]]:
    """The columns they fill, in the order in which they were seen."""
    return [(one.column_name, one.column_type) for one in found.values()]


def placed_of(
    *facts: tuple[str, str, str], rules: ColumnRules = NO_RULES, **unlisted: int
) -> dict[tuple[str, str], Placement]:
    """Place fields of several sources, each a source, a path and a type, and each of a load.

    Each comes with an event of its own.
    """
    numbered = [
        Fact(_keys(path), kind, (number, "f", 1), source, f"E{number}")
        for number, (source, path, kind) in enumerate(facts, 1)
    ]
    found = place("track", numbered, rules, unlisted).placements
    return {(one.path, one.type): one for one in found if one.type}


def placed_with(
    *facts: tuple[str, str | None, str],
    rules: ColumnRules = NO_RULES,
    arrays: Container[str] = (),
) -> dict[str, Placement]:
    """Place numbers and arrays of several events, each a source, an event and a path.

    Each is of a load of its own.
    """
    numbered = [
        Fact(_keys(path), "array" if path in arrays else "bigint", (number, "f", 1), source, event)
        for number, (source, event, path) in enumerate(facts, 1)
    ]
    return {one.path: one for one in place("track", numbered, rules).placements if one.type}


def _keys(path: str) -> tuple[str, ...]:
    return tuple(path.replace("[]", f".{ITEM}").split("."))


def rules(*fields: dict[str, object], **others: object) -> ColumnRules:
    return ColumnRules.model_validate({"fields": fields, **others})
