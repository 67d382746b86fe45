"""`make replay`: rows of the final tables derived again from the raw tables.

For after a change: of a model, of columns.yml, of what may be rejected. It reads `raw` alone, and
writes what a full refresh would write there, for one day or for one table.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from orchestration.audit import completeness
from orchestration.errors import DbtFailedError
from orchestration.models import run
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import WITH_TABLE

_DAY = "SEAMLINE_REPLAYED_DAY"


def replay(settings: Settings, day: date | None, table: str | None) -> str:
    """Derive again the messages received on a day, or all of one table, or both of them met.

    Args:
        settings: Where the warehouse is.
        day: A day in UTC; every copy of its messages counts, whenever it was received.
        table: A call with a table; all of them if not given.

    Returns:
        What happened, in a line.

    Raises:
        DbtFailedError: a model failed; its table is as it was.
    """
    calls = [call for call in WITH_TABLE if table in (None, call)]
    if day is None:
        results = run.build_anew(settings, calls)
    else:
        with connect(settings, read_only=True) as con:
            filled = completeness.filled_tables(con, settings)
        calls = [call for call in calls if call in filled]
        models = [name for call in calls for name in (f"stg_segment__{call}", call)]
        results = run.run_models(settings, models)  # first what the tables lack anyway
        if not run.failures(results):
            with _replayed(day):
                results = run.run_models(settings, models, is_replay=True)
    failed = run.failures(results)
    if failed:
        raise DbtFailedError("\n".join(failed))
    return f"Derived again: {', '.join(calls)}, {day or 'every day'}"


@contextmanager
def _replayed(day: date) -> Iterator[None]:
    os.environ[_DAY] = day.isoformat()
    try:
        yield
    finally:
        del os.environ[_DAY]
