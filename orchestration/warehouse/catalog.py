"""The lake as its own tables describe it.

DuckDB's `duckdb_tables()` and `duckdb_columns()` say the same, but have every table of the lake
loaded for it: 0.2 to 0.5 s of processor for thirty tables, beside 0.02.
"""

import duckdb

DATABASE = "seamline"
"""The name under which the lake is attached, here, in dbt and at the SQL prompt."""

CATALOG = f"__ducklake_metadata_{DATABASE}"
"""That of the tables DuckLake describes it with, each row with the snapshots it is true in."""


def data_address(con: duckdb.DuckDBPyConnection) -> str:
    """Return the path or address of where the Parquet files are."""
    (row,) = con.execute("select data_path from ducklake_settings($1)", [DATABASE]).fetchall()
    return str(row[0])


def literal(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """Return a name as SQL has it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def full_name(*names: str) -> str:
    """Return the name of a schema, or of what is in it, in quotes and with the database.

    Without that no schema can be named that is called like a database, ours or DuckDB's own.
    """
    return ".".join(map(quoted, (DATABASE, *names)))


def number(con: duckdb.DuckDBPyConnection, query: str, *parameters: object) -> int:
    """Return the number that a query or a statement answers with; 0 if it is null or none."""
    row = con.execute(query, parameters).fetchone()
    return int(row[0] or 0) if row else 0


def now(kind: str) -> str:
    """SQL of what DuckLake says of all tables, views, columns and so on that there are now."""
    return f"(from {CATALOG}.ducklake_{kind} where end_snapshot is null)"


def then(kind: str, version: int | None) -> str:
    """The same of those that there were in a snapshot; now if none is named."""
    if version is None:
        return now(kind)
    was = f"begin_snapshot <= {version} and coalesce(end_snapshot > {version}, true)"
    return f"(from {CATALOG}.ducklake_{kind} where {was})"


def tables(con: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Return schema and name of each table, without what an open transaction has made."""
    return _relations(con, "table")


def views(con: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Return schema and name of each view, without what an open transaction has made."""
    return _relations(con, "view")


def macros(con: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Return schema and name of each macro, without what an open transaction has made."""
    return _relations(con, "macro")


def views_with_database(con: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Return schema and name of each view that has the lake's database before its tables' names.

    DuckLake keeps a word in its place, and reads such a view under no alias that needs quotes.
    """
    # not what was sent, in a string
    code = "regexp_replace(sql, $$'[^']*'$$, '', 'g')"
    return _relations(con, "view", f"where contains({code}, '{{DUCKLAKE_CATALOG}}.')")


def _relations(con: duckdb.DuckDBPyConnection, kind: str, which: str = "") -> set[tuple[str, str]]:
    rows = con.execute(
        f"select schema_name, {kind}_name "  # noqa: S608 - our own words
        f"from {now(kind)} join {now('schema')} using (schema_id) {which}"
    ).fetchall()
    return set(rows)


def schemas(con: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the name of each schema, without what an open transaction has made."""
    rows = con.execute(f"select schema_name from {now('schema')}").fetchall()  # noqa: S608
    return {name for (name,) in rows}


def comments(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, ...], str]:
    """Return the comment on each table, view and column that has one, by its kind and its names."""
    rows = con.execute(
        f"""
        with known as (
            select 'table' as kind, schema_id, table_name, null as column_name, key, value
            from {now("table")} join {now("tag")} on object_id = table_id
            union all
            select 'view', schema_id, view_name, null, key, value
            from {now("view")} join {now("tag")} on object_id = view_id
            union all
            select 'column', schema_id, table_name, column_name, key, value
            from {now("table")}
            join {now("column")} using (table_id)
            join {now("column_tag")} using (table_id, column_id)
            where parent_column is null
        )
        select kind, schema_name, table_name, column_name, value
        from known join {now("schema")} using (schema_id)
        where key = 'comment' and value is not null
        """  # noqa: S608 - our own words
    ).fetchall()
    return {tuple(name for name in names if name is not None): text for *names, text in rows}


def options(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, ...], str]:
    """Return what `set_option` was told, by the option, the schema and the table, or ''."""
    rows = con.execute(
        f"""
        with scopes as (
            select null as scope, null as scope_id, '' as schema_name, '' as table_name
            union all
            select 'schema', schema_id, schema_name, '' from {now("schema")}
            union all
            select 'table', table_id, schema_name, table_name
            from {now("table")} join {now("schema")} using (schema_id)
        )
        select key, schema_name, table_name, value
        from {CATALOG}.ducklake_metadata as said
        join scopes
            on said.scope is not distinct from scopes.scope
            and said.scope_id is not distinct from scopes.scope_id
        where key not in ('version', 'created_by', 'data_path', 'encrypted')
        """  # noqa: S608 - our own words
    ).fetchall()
    return {(key, schema, table): value for key, schema, table, value in rows}


def columns_in(con: duckdb.DuckDBPyConnection, schema: str) -> dict[str, set[str]]:
    """Return the columns of each table of a schema, without what an open transaction has made."""
    return {table: set(columns) for table, columns in column_types_in(con, schema).items()}


def column_types_in(
    con: duckdb.DuckDBPyConnection, schema: str, version: int | None = None
) -> dict[str, dict[str, str]]:
    """Return the columns of each table as well, in order and with their types as DuckLake has it.

    A whole number is `int64` there, a fraction `float64`, a text `varchar`.

    Args:
        con: The warehouse.
        schema: The schema of the tables.
        version: The snapshot; how it is now if none is named.
    """
    rows = con.execute(
        f"""
        select table_name, map(
            list(column_name order by column_order), list(column_type order by column_order)
        )
        from {then("column", version)}
        join {then("table", version)} using (table_id)
        join {then("schema", version)} using (schema_id)
        where schema_name = $1 and parent_column is null
        group by table_name
        """,  # noqa: S608 - our own words
        [schema],
    ).fetchall()
    return dict(rows)


def columns_of(con: duckdb.DuckDBPyConnection, relation: str) -> set[str]:
    """Return the columns of a table or view, named with its schema and quoted."""
    con.execute(f"select * from {relation} limit 0")  # noqa: S608 - as the caller quotes it
    return {name for name, *_ in con.description or ()}
