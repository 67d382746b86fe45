"""What a user has said of a lake beside what is in it: carried over into the one that is made anew.

Empty schemas, comments and options. A comment on what Seamline describes is Seamline's: the next
run of the models says again what its pages say.
"""

from dataclasses import dataclass

import duckdb

from orchestration.models.schema_name import PARTS
from orchestration.warehouse import catalog
from orchestration.warehouse.catalog import full_name, literal
from orchestration.warehouse.transaction import transaction

_SIZES = {"target_file_size", "parquet_row_group_size_bytes"}


@dataclass(frozen=True)
class Notes:
    """Those of one lake, as `warehouse.catalog` reads them."""

    schemas: set[str]
    comments: dict[tuple[str, ...], str]
    options: dict[tuple[str, ...], str]

    def moved(self, old: str, new: str) -> "Notes":
        """Those on the schemas of one integration's name alone, as those of another's."""
        names = {f"{old}{part}": f"{new}{part}" for part in PARTS}

        def move(said: dict[tuple[str, ...], str]) -> dict[tuple[str, ...], str]:
            return {
                (what, names[schema], *place): text
                for (what, schema, *place), text in said.items()
                if schema in names
            }

        schemas = {names[schema] for schema in self.schemas & names.keys()}
        return Notes(schemas, move(self.comments), move(self.options))


def notes_of(con: duckdb.DuckDBPyConnection) -> Notes:
    """Read what a lake has, Seamline's own notes among it."""
    return Notes(catalog.schemas(con), catalog.comments(con), catalog.options(con))


def add_notes(con: duckdb.DuckDBPyConnection, notes: Notes) -> None:
    """Say what a lake does not say yet, of the tables, views and columns that are in it."""
    there: set[tuple[str, ...]] = {("table", *name) for name in catalog.tables(con)}
    there |= {("view", *name) for name in catalog.views(con)}
    there |= {
        ("column", schema, table, column)
        for schema in notes.schemas
        for table, columns in catalog.columns_in(con, schema).items()
        for column in columns
    }
    said = notes_of(con)
    statements = [
        f"create schema {full_name(schema)}" for schema in sorted(notes.schemas - said.schemas)
    ]
    for (kind, *names), text in notes.comments.items():
        if (kind, *names) in there and said.comments.get((kind, *names)) != text:
            statements.append(f"comment on {kind} {full_name(*names)} is {literal(text)}")
    for (key, schema, table), value in notes.options.items():
        is_there = not table or ("table", schema, table) in there
        if is_there and said.options.get((key, schema, table)) != value:
            scope = f", schema => {literal(schema)}" if schema else ""
            scope += f", table_name => {literal(table)}" if table else ""
            statements.append(
                f"call {catalog.DATABASE}.set_option"
                f"({literal(key)}, {_as_given(key, value)}{scope})"
            )
    with transaction(con):
        for statement in statements:
            con.execute(statement)


def _as_given(key: str, value: str) -> str:
    """An option's value as `set_option` takes it, from how DuckLake keeps it."""
    if key in _SIZES:
        return literal(f"{value}B")
    if key == "parquet_version":
        return literal(value.removeprefix("V"))
    return value if value in {"true", "false"} else literal(value)
