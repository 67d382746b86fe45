"""Fields as they are placed: what the tests of placement ask for and look at."""

from orchestration.columns.placement import Fact, Placement, place
from orchestration.columns.rules import ColumnRules
from orchestration.loading.field_paths import ITEM

NO_RULES = ColumnRules()
RECEIPT_COLUMNS = 8


def placed(
    *facts: tuple[str, str], call: str = "track", rules: ColumnRules = NO_RULES
) -> dict[tuple[str, str], Placement]:
    """Place fields seen in this order, each a path and a type."""
    numbered = [
        Fact(tuple(path.replace("[]", f".{ITEM}").split(".")), kind, (1, "file", number))
        for number, (path, kind) in enumerate(facts)
    ]
    return {(one.path, one.type): one for one in place(call, numbered, rules) if one.type}


def columns(found: dict[tuple[str, str], Placement]) -> list[tuple[str | None, str | None]]:
    """The columns they fill, in the order in which they were seen."""
    return [(one.column_name, one.column_type) for one in found.values()]


def placed_of(
    *facts: tuple[str, str, str], rules: ColumnRules = NO_RULES, **unlisted: int
) -> dict[tuple[str, str], Placement]:
    """Place fields of several sources, each a source, a path and a type, and each of a load."""
    numbered = [
        Fact(tuple(path.replace("[]", f".{ITEM}").split(".")), kind, (number, "f", 1), source)
        for number, (source, path, kind) in enumerate(facts, 1)
    ]
    found = place("track", numbered, rules, unlisted)
    return {(one.path, one.type): one for one in found if one.type}


def rules(*fields: dict[str, object], **others: object) -> ColumnRules:
    return ColumnRules.model_validate({"fields": fields, **others})
