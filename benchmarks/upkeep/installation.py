"""A warehouse with or without upkeep, in a process of its own.

That process imports this module: of a `__main__` it could not.
"""

import json
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.upkeep.page import Row
from orchestration.loading.load import load
from orchestration.models import run
from orchestration.settings import Settings
from orchestration.upkeep.keep_small import keep_small
from orchestration.warehouse import connection
from orchestration.warehouse.connection import connect
from receiver.files.envelope import good_line, received_stamps

EVENTS = {"track": 50, "page": 20, "identify": 15, "group": 5, "screen": 5, "alias": 5}
"""The calls of one load."""

_BEGIN = 1_795_324_800_000_000
"""When the first of them came, in microseconds since 1970."""

QUERY = (
    "select event, count(*), sum(properties__price), max(received_at) from segment.track "
    "group by event order by event"
)


@dataclass
class Installation:
    """A warehouse in a folder of its own, in a process of its own."""

    name: str
    folder: Path
    loads_an_hour: int
    hours: float
    portion: int
    loads: int = 0
    ended: list[float] = field(default_factory=list)
    """When the portions of loads ended."""

    def set_environment(self) -> None:
        """Say where the installation is, for dbt too."""
        os.environ["SEAMLINE_WAREHOUSE"] = f"ducklake:sqlite:{self.folder}/w/catalog.sqlite"
        os.environ["SEAMLINE_LANDING"] = str(self.folder / "landing")
        os.environ["DAGSTER_HOME"] = str(self.folder / "dagster")

    def advance(self) -> Row:
        """Do a portion of loads and all that comes with it, and measure."""
        settings = Settings()
        took = []
        for _ in range(self.portion):
            self._land(settings.landing)
            began = time.perf_counter()
            load(settings)
            took.append(time.perf_counter() - began)
        began = time.perf_counter()
        failed = run.failures(run.run_models(settings))
        if failed:
            raise SystemExit("\n".join(failed))
        modelled = time.perf_counter() - began
        self.ended.append(time.monotonic())
        upkeep, waited = self._keep_small(settings) if self.name == "with" else (0.0, 0.0)
        return self._measured(settings, statistics.median(took), modelled, upkeep, waited)

    def _keep_small(self, settings: Settings) -> tuple[float, float]:
        """Every so many loads as the installation does in an hour."""
        portions = self.loads_an_hour // self.portion
        if len(self.ended) % portions or len(self.ended) < 2 * portions:
            return 0.0, 0.0
        hour = self.ended[-1] - self.ended[-1 - portions]
        scaled = settings.model_copy(
            update={
                "query_hours": hour / 3600,
                "snapshot_days": self.hours * hour / 86_400,
            }
        )
        began = time.perf_counter()
        done = keep_small(scaled, timedelta(seconds=hour))
        return time.perf_counter() - began, done.longest_lock_seconds

    def _measured(
        self, settings: Settings, load_s: float, dbt_s: float, upkeep_s: float, waited: float
    ) -> Row:
        files = [path.stat().st_size for path in settings.data.rglob("*.parquet")]
        with connect(settings, read_only=True) as con:
            times = []
            for _ in range(5):
                began = time.perf_counter()
                con.execute(QUERY).fetchall()
                times.append(time.perf_counter() - began)
            listed = con.execute(
                "select sum(file_count), count(*) filter (file_count > 0), "
                "(select count(*) from ducklake_snapshots('seamline')) "
                "from ducklake_table_info('seamline')"
            ).fetchone()
            events = con.execute("select count(*) from segment.track").fetchone()
        if listed is None or events != (self.loads * EVENTS["track"],):
            raise SystemExit(f"{self.name}: {events} rows after {self.loads} loads")
        return Row(
            warehouse=self.name,
            loads=self.loads,
            load_ms=1000 * load_s,
            dbt_s=dbt_s,
            upkeep_s=upkeep_s,
            longest_lock_s=waited,
            query_ms=1000 * statistics.median(times),
            table_files=int(listed[0]),
            files=len(files),
            megabytes=sum(files) / 1e6,
            catalog_kb=settings.catalog.stat().st_size / 1e3,
            snapshots=int(listed[2]),
        )

    def _land(self, landing: Path) -> None:
        self.loads += 1
        for call, count in EVENTS.items():
            folder = landing / call
            folder.mkdir(parents=True, exist_ok=True)
            name = f"20261122T052446123456Z-bench-1-00000000-{self.loads:06d}.ndjson"
            (folder / f"{call}-{name}").write_bytes(b"".join(self._lines(call, count)))

    def _lines(self, call: str, count: int) -> Iterator[bytes]:
        stamps = received_stamps(_BEGIN + self.loads * 1_000_000)
        for number in range(count):
            payload = {
                "type": call,
                "userId": f"u{number % 40}",
                "context": {"ip": "203.0.113.7", "userAgent": "Mozilla/5.0", "locale": "de-DE"},
                "properties": {
                    "name": f"Thing {self.loads % 97}",
                    "price": number + self.loads / 100,
                    f"since_{self.loads // 500}": True,  # a new column now and then
                },
            }
            if call == "track":
                payload["event"] = f"Event {number % 10}"
            message_id = f"{call}-{self.loads}-{number}"
            yield good_line(
                message_id, next(stamps), None, "web", json.dumps(payload).encode(), "server"
            )


def live(installation: Installation, orders: Connection) -> None:
    """Be an installation: a portion of loads for each order, until there are none."""
    installation.set_environment()
    # 0.2 s a connection, always the same, that would hide a tenth of what is looked for
    connection.CONFIG["allow_unsigned_extensions"] = True
    while orders.recv():
        orders.send(installation.advance())
