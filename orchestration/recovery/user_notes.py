"""What a user has said of a lake beside what is in it: carried over into the one that is made anew.

Empty schemas, comments and options. A comment on what Seamline describes is Seamline's: the next
run of the models says again what its pages say.
"""

from dataclasses import dataclass

import duckdb

from orchestration.models.schema_name import PARTS
from orchestration.warehouse import catalog
from orchestration.warehouse.catalog import full_name
from orchestration.warehouse.transaction import transaction

_SIZES = {"target_file_size", "parquet_row_group_size_bytes"}


@dataclass(frozen=True)
class Notes:
    """Those of one lake, as `lake` reads them."""

    schemas: set[str]
    comments: dict[tuple[str, str, str], str]
    column_comments: dict[tuple[str, str, str], str]
    options: dict[tuple[str, str, str], str]

    def moved(self, old: str, new: str) -> "Notes":
        """Those on the schemas of one integration's name alone, as those of another's."""
        names = {f"{old}{part}": f"{new}{part}" for part in PARTS}
        return Notes(
            {new for old, new in names.items() if old in self.schemas},
            {(a, names[b], c): text for (a, b, c), text in self.comments.items() if b in names},
            {
                (names[a], b, c): text
                for (a, b, c), text in self.column_comments.items()
                if a in names
            },
            {(a, names[b], c): text for (a, b, c), text in self.options.items() if b in names},
        )


def notes_of(con: duckdb.DuckDBPyConnection) -> Notes:
    """Read what a lake has, Seamline's own notes among it."""
    return Notes(
        catalog.schemas(con),
        catalog.comments(con),
        catalog.column_comments(con),
        catalog.options(con),
    )


def add_notes(con: duckdb.DuckDBPyConnection, notes: Notes) -> None:
    """Say what a lake does not say yet, of the tables, views and columns that are in it."""
    there = {("table", *name) for name in catalog.tables(con)}
    there |= {("view", *name) for name in catalog.views(con)}
    said, of_columns, options = (
        catalog.comments(con),
        catalog.column_comments(con),
        catalog.options(con),
    )
    columns = {schema: catalog.columns_in(con, schema) for schema in notes.schemas}
    statements = [
        f"create schema {full_name(schema)}"
        for schema in sorted(notes.schemas - catalog.schemas(con))
    ]
    for (kind, *name), text in notes.comments.items():
        if (kind, *name) in there and said.get((kind, name[0], name[1])) != text:
            statements.append(f"comment on {kind} {full_name(*name)} is {_literal(text)}")
    for (schema, table, column), text in notes.column_comments.items():
        is_there = column in columns.get(schema, {}).get(table, set())
        if is_there and of_columns.get((schema, table, column)) != text:
            place = full_name(schema, table, column)
            statements.append(f"comment on column {place} is {_literal(text)}")
    for (key, schema, table), value in notes.options.items():
        is_there = ("table", schema, table) in there if table else True
        if is_there and options.get((key, schema, table)) != value:
            scope = f", schema => {_literal(schema)}" if schema else ""
            scope += f", table_name => {_literal(table)}" if table else ""
            statements.append(
                f"call {catalog.DATABASE}.set_option"
                f"({_literal(key)}, {_as_given(key, value)}{scope})"
            )
    with transaction(con):
        for statement in statements:
            con.execute(statement)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _as_given(key: str, value: str) -> str:
    """An option's value as `set_option` takes it, from how DuckLake keeps it."""
    if key in _SIZES:
        return _literal(f"{value}B")
    if key == "parquet_version":
        return _literal(value.removeprefix("V"))
    return value if value in {"true", "false"} else _literal(value)
