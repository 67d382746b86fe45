"""What is looked at behind loads: the cheap checks, and the report of the newest loads.

Once a minute at most, however many passes a run makes, and when it ends. What they find is said,
and never makes a load fail, wait or repeat (docs/operating.md).
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import dagster as dg
import duckdb

from orchestration.defs.report_assets import loads_result
from orchestration.defs.watch_checks import evaluate
from orchestration.settings import Settings
from orchestration.warehouse.connection import WarehouseUnusableError, connect

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
        """Look, if something has come and the last look was long enough ago."""
        if self._clock() - self._last >= LOOK_SECONDS:
            yield from self.look()

    def look(self) -> Iterator[dg.MaterializeResult[None]]:
        """Look, if something has come since the last look."""
        if not self._is_news:
            return
        self._is_news = False
        self._last = self._clock()
        try:
            with connect(self._settings, read_only=True) as con:
                report = loads_result(con, self._settings)
            found = list(evaluate(self._settings, datetime.now(UTC)))
        except (duckdb.Error, OSError, WarehouseUnusableError) as error:
            self._context.log.warning("The checks behind loads could not be made: %s", error)
        else:
            yield report._replace(check_results=found)
