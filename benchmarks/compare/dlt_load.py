"""A load of landed files with dlt, merged on `message_id`: `python dlt_load.py LANDING DATABASE`.

It runs in dlt's own environment, so it imports nothing of ours. Settings are dlt's defaults:
objects become columns, arrays become tables.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt

CALLS = ("track", "page", "identify", "screen", "group", "alias")


def main(landing: Path, database: Path) -> None:
    """Load all files."""
    pipeline = dlt.pipeline(
        "segment",
        destination=dlt.destinations.duckdb(str(database)),
        dataset_name="segment",
        pipelines_dir=str(database.with_suffix(".pipelines")),
    )
    resources = [
        dlt.resource(
            _records(folder), name=folder.name, write_disposition="merge", primary_key="message_id"
        )
        for folder in map(landing.joinpath, CALLS)
    ]
    pipeline.run(resources).raise_on_failed_jobs()


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.ndjson")):
        with path.open("rb") as file:
            for line in file:
                envelope = json.loads(line)
                known = {name: envelope[name] for name in ("message_id", "received_at", "source")}
                yield known | envelope["payload"]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
