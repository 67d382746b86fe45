"""What is looked at behind loads: the cheap checks, and at the end of a run the newest loads.

Once a minute at most, however many passes a run makes, and when it ends. What they find is said,
and never makes a load fail, wait or repeat (docs/operating.md).
"""

import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import dagster as dg
import duckdb

from landed.errors import ReportedError
from orchestration.defs.report_assets import loads_result
from orchestration.defs.watch_checks import evaluate
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

LOOK_SECONDS = 60.0
"""Between two looks of one run."""


class BehindLoads:
    """When to look, and what there is to see."""

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin behind the first load of a run."""
        self._context = context
        self._settings = settings
        self._clock = clock
        self._last = clock()
        self._is_news = True

    def has_come(self) -> None:
        """Note that something was loaded."""
        self._is_news = True

    def look_if_due(self) -> Iterator[dg.MaterializeResult[None]]:
        """Make the checks, if something has come and the last look was long enough ago."""
        if self._is_news and self._clock() - self._last >= LOOK_SECONDS:
            yield from self._look(dg.MaterializeResult)

    def look_at_the_end(self) -> Iterator[dg.MaterializeResult[None]]:
        """Make the checks and report the newest loads, if something has come since the last look.

        The report costs more than all checks together, so it is made once a run.
        """
        if self._is_news:
            yield from self._look(self._report)

    def _look(
        self, begin: Callable[[], dg.MaterializeResult[None]]
    ) -> Iterator[dg.MaterializeResult[None]]:
        self._is_news = False
        self._last = self._clock()
        try:
            result = begin()
            found = list(evaluate(self._settings, datetime.now(UTC)))
        except Exception as error:  # noqa: BLE001 - whatever a check meets, the load goes on
            self._context.log.warning("The checks behind loads could not be made: %s", _why(error))
        else:
            yield result._replace(check_results=found)

    def _report(self) -> dg.MaterializeResult[None]:
        with connect(self._settings, read_only=True) as con:
            return loads_result(con, self._settings)


def _why(error: Exception) -> str:
    """What an error says; of one that nobody foresaw its place alone, as a value may be in it."""
    if isinstance(error, (duckdb.Error, OSError, ReportedError)):
        return f"{type(error).__name__}: {error}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {place.name}, line {place.lineno} of {place.filename}"
