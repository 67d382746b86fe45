"""What a warehouse that is made again from the files has to be told of erasures."""

from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.erasure.erased_fields import bring_back_fields
from orchestration.loading import suppressed


def bring_back(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Give a new warehouse the record of past erasures, and the fields of what they erased."""
    bring_back_fields(con, landing)
    done = [entry for entry in suppressed.entries(landing) if entry.done_at]
    if not done or con.execute("from raw.erasure limit 1").fetchone():
        return
    con.register(
        "record",
        pa.table(
            {
                "erased_at": [entry.done_at for entry in done],
                "kind": [entry.kind for entry in done],
                "hash": [entry.hash for entry in done],
                "lines": [entry.lines for entry in done],
                "files": [entry.files for entry in done],
            }
        ),
    )
    con.execute(
        "insert into raw.erasure by name "
        "select * replace (timezone('UTC', erased_at) as erased_at) from record"
    )
    con.unregister("record")
