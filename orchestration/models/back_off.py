"""How long what has failed rests before it is tried again, and which models do."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from orchestration.warehouse.catalog import tables
from orchestration.warehouse.transaction import transaction

FIRST_SECONDS = 30
LONGEST_SECONDS = 30 * 60

_MOST_DOUBLINGS = 10


def pause(failures: int) -> float:
    """Seconds until the next try: 30 after the first failure, twice as long after each, to 1800."""
    return min(FIRST_SECONDS * 2.0 ** min(failures - 1, _MOST_DOUBLINGS), LONGEST_SECONDS)


@dataclass
class Failing:
    """A model that has failed since it last went well."""

    times: int
    last: float
    """When it did last, in seconds since 1970."""

    @property
    def due(self) -> float:
        """When it is tried again, likewise."""
        return self.last + pause(self.times)


def failing_models(con: duckdb.DuckDBPyConnection) -> dict[str, Failing]:
    """The models that failed last time they were run, by name."""
    if ("raw", "failing_model") not in tables(con):
        return {}  # nobody has written to it since an earlier version
    rows = con.execute("select model, times, epoch(failed_at) from raw.failing_model").fetchall()
    return {model: Failing(times, last) for model, times, last in rows}


def note(con: duckdb.DuckDBPyConnection, went_well: Iterable[str], failed: Iterable[str]) -> None:
    """Write down which models went well and which failed."""
    before = failing_models(con)
    now = time.time()
    after = before.copy()
    for name in went_well:
        after.pop(name, None)
    for name in failed:
        after[name] = Failing(before[name].times + 1 if name in before else 1, now)
    if after != before:
        with transaction(con):
            con.execute("delete from raw.failing_model")
            for name, model in after.items():
                con.execute(
                    "insert into raw.failing_model "
                    "values ($1, $2, make_timestamp(($3 * 1e6)::bigint))",
                    [name, model.times, model.last],
                )
