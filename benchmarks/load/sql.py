"""A load as somebody would write it in SQL, in one script: what `make load` is measured against.

`python -m benchmarks.load.sql LANDING WAREHOUSE`: the same landed files into one DuckLake, with the
raw payload, the structure of the whole payload found, a typed column for each leaf of it, and one
row per message. It proves no checksum, takes nothing back, keeps no count, and stops at the first
line that is damaged.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from landed.folders import CALLS
from orchestration.warehouse.connection import CONFIG, load_extensions

_LINE = (
    "{message_id: 'varchar', received_at: 'timestamp', sent_at: 'timestamp', source: 'varchar', "
    "credential: 'varchar', payload: 'json'}"
)
_TYPES = {"UBIGINT": "BIGINT", "NULL": None}


def main(landing: Path, warehouse: Path) -> None:
    """Load all files."""
    warehouse.mkdir()
    con = duckdb.connect(config=CONFIG)
    load_extensions(con)
    con.execute("set TimeZone = 'UTC'")
    con.execute(
        f"attach 'ducklake:sqlite:{warehouse}/catalog.sqlite' as lake "
        f"(data_path '{warehouse}/data')"
    )
    con.execute("use lake; create schema raw; create schema final")
    for call in CALLS:
        files = landing / call
        if any(files.glob("*.ndjson")):
            con.execute("begin")
            _load(con, call, files)
            con.execute("commit")


def _load(con: duckdb.DuckDBPyConnection, call: str, files: Path) -> None:
    con.execute(
        f"""
        create table raw."{call}" as
        select * from read_json(
            '{files}/*.ndjson', format = 'newline_delimited', filename = true,
            columns = {_LINE}
        )
        """
    )
    # faster than json_group_structure, and with less memory: docs/performance.md
    structures = con.execute(
        f'select distinct json_structure(payload)::varchar from raw."{call}"'
    ).fetchall()
    tree: Any = {}
    for (structure,) in structures:
        tree = _together(tree, _typed(json.loads(structure)))
    wanted = json.dumps(tree).replace("null", '"VARCHAR"')
    columns = ", ".join(
        f"""fields.{".".join(f'"{key}"' for key in keys)} as "{"__".join(keys)}" """
        for keys in _leaves(tree)
    )
    con.execute(
        f"""
        create table final."{call}" as
        select message_id, received_at, sent_at, source, credential, filename, {columns}
        from (
            select *, json_transform(payload, '{wanted}') as fields from raw."{call}"
            qualify row_number() over (partition by message_id order by received_at) = 1
        )
        """
    )


def _typed(structure: Any) -> Any:
    """A structure with the types that columns are to have."""
    if isinstance(structure, dict):
        return {key: _typed(part) for key, part in structure.items()}
    return "JSON" if isinstance(structure, list) else _TYPES.get(structure, structure)


def _together(one: Any, other: Any) -> Any:
    """What holds the values of both."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {
            key: _together(one[key], part) if key in one else part for key, part in other.items()
        }
    if one == other or other is None:
        return one
    if one is None:
        return other
    return "DOUBLE" if {one, other} == {"BIGINT", "DOUBLE"} else "JSON"


def _leaves(tree: Any, *above: str) -> Iterator[tuple[str, ...]]:
    if isinstance(tree, dict):
        for key, part in tree.items():
            yield from _leaves(part, *above, key)
    elif tree is not None:
        yield above


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
