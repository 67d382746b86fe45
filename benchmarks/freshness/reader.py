"""Notes when a file is sealed and when a row is there, beside what is measured.

`watch_rows` has a process of its own, which imports this module: of a `__main__` it could not.
"""

import json
import os
import time
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path

from benchmarks.freshness.sender import SHARES
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

_LOOK_SECONDS = 0.1
_FILES_SECONDS = 0.02


def watch_rows(file: str, stop: Event) -> None:
    """Read the final tables as a second process does, and note when each message is first seen."""
    settings = Settings()
    loads = dict.fromkeys(SHARES, 0)
    with connect(settings, read_only=True) as con, Path(file).open("w") as seen:
        while not stop.is_set():
            for call in SHARES:
                rows = con.execute(
                    f'select message_id, _seamline_load_id, _seamline_file from segment."{call}" '
                    f"where _seamline_load_id > {loads[call]}"
                ).fetchall()
                now = time.time()
                for message_id, load_id, landed in rows:
                    seen.write(json.dumps([message_id, now, load_id, landed, call]) + "\n")
                    loads[call] = max(loads[call], load_id)
            seen.flush()
            time.sleep(_LOOK_SECONDS)


@dataclass
class SealedFiles:
    """Notes when each landed file is sealed, in a thread."""

    landing: Path
    at: dict[str, float] = field(default_factory=dict)
    is_over: bool = False

    def watch(self) -> None:
        """Look until it is over."""
        while not self.is_over:
            for call in SHARES:
                folder = self.landing / call
                names = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 - many times
                now = time.time()
                for name in names:
                    if name.endswith(".ndjson"):
                        self.at.setdefault(name, now)
            time.sleep(_FILES_SECONDS)
