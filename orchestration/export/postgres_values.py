"""SQL of what a row of a final table is in PostgreSQL, so that any row fits there."""

from collections.abc import Mapping

from orchestration.warehouse.catalog import literal, quoted

TYPES = {
    "int64": "bigint",
    "float64": "double precision",
    "boolean": "boolean",
    "varchar": "text",
    "json": "json",
    "timestamp": "timestamp",
    "date": "date",
}
"""DuckLake's type → PostgreSQL's; of what a user has added, text."""

_FIRST = "timestamp '4712-01-01 (BC)'"
"""PostgreSQL knows no time before that year, which a sender may name."""


def value(column: str, kind: str) -> str:
    """A column's value as PostgreSQL takes it: it knows no text with a NUL, nor every time."""
    name = quoted(column)
    if kind not in TYPES:
        return f"cast({name} as varchar)"
    if kind == "varchar":
        return f"replace({name}, chr(0), '')"
    if kind in {"timestamp", "date"}:
        return f"case when isfinite({name}) and {name} >= {_FIRST} then {name} end"
    return name


def value_of_old_type(column: str, kind: str, old: str) -> str:
    """A column's value where the column there could not be given its type: as long as it fits.

    Args:
        column: The column.
        kind: Its type, as DuckLake writes it.
        old: That of the column there, likewise.
    """
    name = quoted(column)
    why = literal(f"{column} has values that the column there cannot have")
    fits = "false"
    if (kind, old) == ("float64", "int64"):
        fits = f"{name} = trunc({name}) and abs({name}) <= 9007199254740992"
    return (
        f"case when {name} is null then null when {fits} "
        f"then try_cast({name} as {TYPES.get(old, 'varchar')}) else error({why}) end"
    )


def more(columns: Mapping[str, str]) -> str:
    """Columns as one JSON object, without those that are null; null if all are.

    Args:
        columns: The columns with their types.
    """
    if not columns:
        return "null"
    listed = ", ".join(
        f"{{'name': {literal(column)}, 'value': {_as_json(column, kind)}}}"
        for column, kind in columns.items()
    )
    filled = f"list_filter([{listed}], lambda one: one.value is not null)"
    return f"cast(nullif(cast(to_json(map_from_entries({filled})) as varchar), '{{}}') as json)"


def _as_json(column: str, kind: str) -> str:
    if kind == "json":
        return quoted(column)
    if kind == "float64":  # JSON has neither infinity nor what is no number
        name = quoted(column)
        text = f"to_json(cast({name} as varchar))"
        return f"case when isfinite({name}) then to_json({name}) else {text} end"
    return f"to_json({value(column, kind)})"
