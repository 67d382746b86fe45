"""The names under which the lake and its own tables are attached."""

DATABASE = "seamline"
"""The lake: here, in dbt and at the SQL prompt."""

CATALOG = f"__ducklake_metadata_{DATABASE}"
"""The tables that DuckLake describes the lake with, each with the snapshots it holds for."""
