"""A run that stays: while news keeps coming it loads and models it, pass by pass.

Dagster's start of a run takes seconds, and so do imports; a run that is there already takes neither
(docs/decisions/0040-a-run-that-stays.md). Between two passes it holds nothing: whoever waits for
the writer's lock has it before the next.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field

import dagster as dg
from dbt.artifacts.schemas.run import RunResult

from landed.folders import CALLS, REJECTED
from orchestration.defs.completeness_result import COMPLETENESS, completeness_result
from orchestration.defs.dbt_assets import key_of, materialized, models, selectors
from orchestration.defs.news import News, news
from orchestration.defs.raw_assets import load_or_restore, loaded_tables
from orchestration.defs.sensor import DID_ITS_WORK, is_warehouse_lost
from orchestration.models import command, run
from orchestration.models.pending_models import Pending, pending
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect, keeping_sessions
from orchestration.warehouse.writer_lock import writer_lock

Event = dg.AssetMaterialization | dg.AssetCheckEvaluation

LOOK_SECONDS = 0.1
"""Between two looks for sealed files."""

WAREHOUSE_SECONDS = 5.0
"""Between two looks at what else there is to do, as between two ticks of the sensor."""

LONGEST_SECONDS = 3600.0
"""How long a run stays at most: so it shows in Dagster, and takes over what has changed."""


@dataclass
class Patience:
    """When a run has stayed long enough."""

    quiet_seconds: float
    longest_seconds: float = LONGEST_SECONDS
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _last: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin to wait."""
        self._began = self._last = self.clock()

    def has_come(self) -> None:
        """Begin anew to wait for more, as something has come and is done."""
        self._last = self.clock()

    def is_over(self) -> bool:
        """Whether nothing has come for so long, or the run has stayed for as long as it may."""
        now = self.clock()
        is_quiet = now - self._last >= self.quiet_seconds
        return is_quiet or now - self._began >= self.longest_seconds


class Watch:
    """Looks for news: often for files, and now and then at the warehouse."""

    def __init__(self, settings: Settings) -> None:
        """Begin with a look at all of it."""
        self._settings = settings
        self._known = Pending()
        self._looked = float("-inf")
        self._began = time.time()

    def is_to_end(self) -> bool:
        """Whether another run has to begin: the warehouse is lost, or dbt's project has changed."""
        if time.monotonic() - self._looked < WAREHOUSE_SECONDS:
            return False
        self._looked = time.monotonic()
        self._known = pending(self._settings)
        return is_warehouse_lost(self._settings) or run.has_project_changed(
            self._settings, self._began
        )

    def news(self) -> News:
        """Say what there is to do."""
        return news(self._settings, self._known)

    def done(self, found: News) -> None:
        """Forget which models lacked something, or failed and were due: they have just had it."""
        again = {key.path[-1] for key in found.again}
        failing = {name: one for name, one in found.failing.items() if name not in again}
        self._known = self._known._replace(calls=(), failing=failing)


def more_passes(context: dg.AssetExecutionContext, settings: Settings) -> Iterator[Event]:
    """Do what comes, until nothing has come for a while.

    Args:
        context: Of the step that stays.
        settings: How long that is, and where everything is.

    Yields:
        What each pass did, as events of its assets and checks.

    Raises:
        dg.Failure: a model failed; the sensor asks for another run.
    """
    context.instance.add_run_tags(context.run_id, {DID_ITS_WORK: "true"})
    patience = Patience(settings.quiet_seconds)
    watch = Watch(settings)
    passes = Passes(context, settings)
    with keeping_sessions(), run.keeping_project(settings):
        while not patience.is_over() and not watch.is_to_end():
            if found := watch.news():
                for result in passes.one(found):
                    yield from _events(result)
                watch.done(found)
                if passes.has_done:
                    patience.has_come()
                else:  # what is called like a file and cannot be read
                    time.sleep(WAREHOUSE_SECONDS)
            else:
                time.sleep(LOOK_SECONDS)


class Passes:
    """Passes of one run, which leave alone what an earlier one has done."""

    def __init__(self, context: dg.AssetExecutionContext, settings: Settings) -> None:
        """Begin behind the models of the run itself."""
        self._context = context
        self._settings = settings
        chosen = context.run.asset_selection
        own = set(models.keys)
        self._made = own if chosen is None else own & chosen
        """Models that are as the fields are placed now."""
        self._placed: str | None = None
        self.has_done = False
        """Whether the last pass found what it was made for."""

    def one(self, found: News) -> Iterator[dg.MaterializeResult[None]]:
        """Load what waits, run its models, count what became of each line.

        Yields:
            What is said of each table that has changed: a raw one, a final one, completeness.
        """
        settings = self._settings
        with writer_lock(settings):
            loaded = load_or_restore(self._context, settings, found.folders, self._progress)
            results = self._run_models(found.assets() & models.keys)
        self.has_done = bool(loaded.files or results)
        tables = [call for call, rows in sorted(loaded.rows.items()) if rows]
        if loaded.rejected:
            tables.append(REJECTED)
        yield from loaded_tables(self._context, settings, tuple(tables), loaded)
        yield from materialized(self._context, settings, results)
        yield completeness_result(self._context, settings)

    def _run_models(self, wanted: set[dg.AssetKey]) -> list[RunResult]:
        """Run those that read what is new; views only where they may have changed."""
        settings = self._settings
        placed = _placement(settings)
        # another command may have placed what was seen, and not made what goes by it
        if placed is None or self._placed not in {None, placed}:
            self._made.clear()
        left = wanted - (self._made - _TABLES)
        if not left:
            run.count_lines(settings)
            return []
        is_all_made = left <= self._made
        with command.with_fields_placed(is_all_made=is_all_made) if placed else nullcontext():
            results = run.run_models(settings, selectors(left))
        self._made |= {key_of(result) for result in results if result.status == "success"}
        self._placed = _placement(settings)
        return results

    def _progress(self, done: int, total: int) -> None:
        if done < total:  # most passes are one transaction, of which the assets say enough
            self._context.log.info("%d of %d done", done, total)


def _placement(settings: Settings) -> str | None:
    with connect(settings) as con:
        return command.placement(con, settings)


_TABLES = {dg.AssetKey([COMPLETENESS.path[0], call]) for call in CALLS}


def _events(result: dg.MaterializeResult[None]) -> Iterator[Event]:
    """A result as the events that Dagster makes of those of a step's own assets."""
    if result.asset_key is not None:
        yield dg.AssetMaterialization(result.asset_key, metadata=result.metadata)
    for check in result.check_results or ():
        if check.asset_key is not None and check.check_name is not None:
            yield dg.AssetCheckEvaluation(
                asset_key=check.asset_key,
                check_name=check.check_name,
                passed=check.passed,
                metadata=check.metadata,
                severity=check.severity,
                description=check.description,
            )
