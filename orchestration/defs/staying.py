"""A run that stays: while news keeps coming it loads and models it, pass by pass.

Dagster's start of a run takes seconds, and so do imports; a run that is there already takes neither
(docs/decisions/0040-a-run-that-stays.md). Between two passes it holds nothing: whoever waits for
the writer's lock has it before the next.
"""

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain

import dagster as dg

from orchestration.defs.behind_loads import BehindLoads
from orchestration.defs.news import News, news
from orchestration.defs.passes import Passes
from orchestration.defs.sensor import DID_ITS_WORK, is_warehouse_lost
from orchestration.models import run
from orchestration.models.manifest import has_project_changed
from orchestration.models.pending_models import Pending, pending
from orchestration.settings import Settings
from orchestration.warehouse.connection import keeping_sessions

Event = dg.AssetMaterialization | dg.AssetCheckEvaluation

LOOK_SECONDS = 0.1
"""Between two looks for sealed files."""

WAREHOUSE_SECONDS = 15.0
"""Between two looks at what else there is to do: for models that are due, and another project."""

_UNREADABLE_SECONDS = 5.0
"""Between two tries of what is called like a landed file and cannot be read."""

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

    def __init__(self, settings: Settings, passes: Passes) -> None:
        """Begin with a look at all of it."""
        self._settings = settings
        self._passes = passes
        self._known = Pending()
        self._looked = float("-inf")
        self._began = time.time()

    def is_to_end(self) -> bool:
        """Whether another run has to begin: the warehouse is lost, or dbt's project has changed."""
        if time.monotonic() - self._looked < WAREHOUSE_SECONDS:
            return False
        self._looked = time.monotonic()
        self._known = pending(self._settings)
        return is_warehouse_lost(self._settings) or has_project_changed(self._settings, self._began)

    def news(self) -> News:
        """Say what there is to do."""
        return news(self._settings, self._passes.without_done(self._known))

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
        What the passes did, as events of their assets and checks.

    Raises:
        dg.Failure: a model failed; the sensor asks for another run.
    """
    context.instance.add_run_tags(context.run_id, {DID_ITS_WORK: "true"})
    patience = Patience(settings.quiet_seconds)
    passes = Passes(context, settings)
    watch = Watch(settings, passes)
    behind = BehindLoads(context, settings)
    with keeping_sessions(), run.keeping_project(settings), _leaving_alone_what_is_there():
        while not patience.is_over() and not watch.is_to_end():
            if found := watch.news():
                passes.one(found)
                watch.done(found)
                if passes.has_done:
                    patience.has_come()
                    behind.has_come()
                else:  # what is called like a file and cannot be read
                    time.sleep(_UNREADABLE_SECONDS)
            else:
                time.sleep(LOOK_SECONDS)
            if passes.are_to_be_told():
                yield from chain.from_iterable(map(events_of, passes.told()))
            else:
                yield from with_checks_reported(context, behind.look_if_due())
        yield from chain.from_iterable(map(events_of, passes.told()))
        yield from with_checks_reported(context, behind.look_at_the_end())


@contextmanager
def _leaving_alone_what_is_there() -> Iterator[None]:
    """Have Python look for garbage among what is made from now on, for a `with` block.

    dbt's project and Dagster's definitions stay, and to look through them takes 0.3 s each time,
    which was every third pass.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def with_checks_reported(
    context: dg.AssetExecutionContext, results: Iterable[dg.MaterializeResult[None]]
) -> Iterator[Event]:
    """Report the checks of results as of no run, so that each is shown until it is made again.

    Of a run Dagster has one row for each check, and shows the row that was begun last: what a run
    that stays finds later would be hidden by any run that has made the check meanwhile.

    Args:
        context: Of the step.
        results: What was found.

    Yields:
        All else as events.
    """
    for event in chain.from_iterable(map(events_of, results)):
        if isinstance(event, dg.AssetCheckEvaluation):
            context.instance.report_runless_asset_event(event)
            if not event.passed:  # as Dagster logs it of a run
                name, asset = event.check_name, event.asset_key.to_user_string()
                context.log.warning("Asset check '%s' on '%s' did not pass.", name, asset)
        else:
            yield event


def events_of(result: dg.MaterializeResult[None]) -> Iterator[Event]:
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
