"""The passes of a run that stays: each loads and models what has come; now and then it is told.

To count what became of each line and to ask the tables for their numbers takes as long as a pass.
So both are done for several passes at once: when they have gone on for a while, and as soon as
nothing comes (docs/decisions/0047-passes-are-told-together.md).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import dagster as dg
import duckdb
from dbt.artifacts.schemas.run import RunResult

from landed.folders import CALLS, REJECTED
from orchestration.defs.completeness_result import COMPLETENESS, completeness_result
from orchestration.defs.dbt_assets import key_of, materialized, models, selectors
from orchestration.defs.news import News
from orchestration.defs.raw_assets import loaded_tables, log_load, make_again
from orchestration.loading import seconds
from orchestration.loading.insert import highest_load
from orchestration.loading.load import Loaded, WarehouseBehindError, load
from orchestration.models import command, run
from orchestration.models.pending_models import Pending
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect, sharing
from orchestration.warehouse.file_statistics import thin_statistics
from orchestration.warehouse.writer_lock import writer_lock

TOLD_SECONDS = 60.0
"""What passes did is told after so long at most, while more and more comes."""

QUIET_SECONDS = 1.0
"""It is told as soon as nothing has come for so long."""


@dataclass
class Untold:
    """What passes have done that no event has told yet."""

    load_ids: list[int] = field(default_factory=list)
    tables: dict[str, datetime] = field(default_factory=dict)
    """Raw tables with new rows, and when the oldest of these could be read."""
    results: dict[dg.AssetKey, RunResult] = field(default_factory=dict)
    """dbt's last of each model."""
    shown_at: dict[dg.AssetKey, datetime] = field(default_factory=dict)
    """When the oldest new rows of its table could be read."""

    def add(self, loaded: Loaded, loaded_at: datetime, results: list[RunResult]) -> None:
        """Add what a pass has done."""
        self.load_ids += loaded.load_ids
        tables = [call for call, rows in loaded.rows.items() if rows]
        if loaded.rejected:
            tables.append(REJECTED)
        for table in tables:
            self.tables.setdefault(table, loaded_at)
        now = datetime.now(UTC)
        for result in results:
            self.results[key_of(result)] = result
            self.shown_at.setdefault(key_of(result), now)


class Passes:
    """Passes of one run, which leave alone what an earlier one has done."""

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin behind the models of the run itself."""
        self._context = context
        self._settings = settings
        self._clock = clock
        chosen = context.run.asset_selection
        own = set(models.keys)
        self._made = own if chosen is None else own & chosen
        """Models that are as the fields are placed now."""
        self._placed: str | None = None
        self._modelled: set[str] = set()
        """Models that have had all loads up to the last one."""
        self._last_load = 0
        self._restored: datetime | None = None
        """When the warehouse was made again last."""
        self._untold: Untold | None = None
        self._passed = self._told = clock()
        self.has_done = False
        """Whether the last pass found what it was made for."""

    def one(self, found: News) -> None:
        """Load what waits, and run its models.

        A warehouse that was lost is made again first, with all models.
        """
        settings = self._settings
        try:
            with writer_lock(settings), sharing(settings):
                loaded = load(settings, found.folders, self._progress)
                loaded_at = datetime.now(UTC)
                results = self._run_models(found.assets() & models.keys, loaded)
                self._note(loaded, results)
                with connect(settings) as con:
                    thin_statistics(con, ("raw", settings.schema_name))
        except WarehouseBehindError:  # outside: the catalog is exchanged
            make_again(self._context, settings, self._progress)
            run.run_all_models(settings)
            self.one(found)
            return
        log_load(self._context, loaded)
        self.has_done = bool(loaded.files or results)
        self._passed = self._clock()
        self._untold = self._untold or Untold()
        self._untold.add(loaded, loaded_at, results)

    def without_done(self, known: Pending) -> Pending:
        """What has still to be done of what the warehouse says: it does not know of all passes."""
        if known.last_load > self._last_load:  # somebody else has loaded
            return known
        left = tuple(call for call in known.calls if call not in self._modelled)
        return known._replace(calls=left)

    def are_to_be_told(self) -> bool:
        """Whether there is something to tell, and it is time to."""
        if self._untold is None:
            return False
        now = self._clock()
        has_failed = any(one.status != "success" for one in self._untold.results.values())
        is_quiet = now - self._passed >= QUIET_SECONDS
        return has_failed or is_quiet or now - self._told >= TOLD_SECONDS

    def told(self) -> Iterator[dg.MaterializeResult[None]]:
        """Count what became of each line, and tell what passes have done since it was told last.

        Yields:
            What is said of each table that has changed: a raw one, a final one, completeness.

        Raises:
            dg.Failure: a model failed; after all else was told.
        """
        if self._untold is None:
            return
        untold, self._untold = self._untold, None
        settings = self._settings
        with writer_lock(settings), sharing(settings):
            run.count_lines(settings, self._modelled, self._last_load)
            said = [
                *loaded_tables(settings, untold.tables, untold.load_ids),
                completeness_result(self._context, settings),
            ]
            failure = None
            try:
                for result in materialized(
                    self._context, settings, untold.results.values(), shown_at=untold.shown_at
                ):
                    said.append(result)  # noqa: PERF402 - what came before a failure is kept
            except dg.Failure as failed:
                failure = failed
        yield from said  # outside: Dagster stores each before it asks for the next
        self._told = self._clock()
        if failure:
            raise failure

    def _note(self, loaded: Loaded, results: list[RunResult]) -> None:
        """Remember which models have had all that was loaded."""
        with connect(self._settings) as con:
            last, restored = highest_load(con), _restored_at(con)
        if (last - len(loaded.load_ids), restored) != (self._last_load, self._restored):
            self._modelled.clear()  # somebody else has loaded in between, or made all again
        self._last_load, self._restored = last, restored
        self._modelled -= {call for call, rows in loaded.rows.items() if rows}
        self._modelled -= {run.known_as(result.node) for result in results}
        done = {
            run.known_as(one.node): one.execution_time for one in results if one.status == "success"
        }
        self._modelled |= done.keys()
        seconds.note_shown(self._settings.place, loaded.load_ids, datetime.now(UTC), done)

    def _run_models(self, wanted: set[dg.AssetKey], loaded: Loaded) -> list[RunResult]:
        """Run those that read what is new, most rows first; views where they may have changed."""
        settings = self._settings
        placed = _placement(settings)
        # another command may have placed what was seen, and not made what goes by it; so it may
        # have before the first pass, which therefore takes nothing for made
        if placed is None or self._placed != placed:
            self._made.clear()
        left = wanted - (self._made - _TABLES)
        if not left:
            return []
        is_all_made = left <= self._made
        with command.with_fields_placed(is_all_made=is_all_made) if placed else nullcontext():
            results = run.run_models(
                settings,
                selectors(left),
                is_counted=False,
                first=[call for call, _ in loaded.rows.most_common()],
            )
        self._made |= {key_of(result) for result in results if result.status == "success"}
        self._placed = placed or _placement(settings)
        return results

    def _progress(self, done: int, total: int) -> None:
        if done < total:  # most passes are one transaction, of which the assets say enough
            self._context.log.info("%d of %d done", done, total)


def _restored_at(con: duckdb.DuckDBPyConnection) -> datetime | None:
    ((at,),) = con.execute("select max(restored_at) from raw.restored").fetchall()
    return cast("datetime | None", at)


def _placement(settings: Settings) -> str | None:
    with connect(settings) as con:
        return command.placement(con, settings)


_TABLES = {dg.AssetKey([COMPLETENESS.path[0], call]) for call in CALLS}
"""The final tables: they are run again with each pass that brings them rows."""
