"""Which calls have raw rows that their models have not had, and which models failed.

The warehouse says it: behind the models of a run their completeness is counted, and with it noted
up to which load (`raw.completeness.counted_load_id`). So what a process that died has left undone
is seen, whatever Dagster remembers of it, and a copy of a warehouse knows its own.
"""

from collections.abc import Mapping
from typing import NamedTuple

import duckdb

from landed.folders import CALLS
from orchestration.loading.insert import highest_load
from orchestration.loading.journal import last_load
from orchestration.loading.load import is_half_restored
from orchestration.models.back_off import Failing, failing_models
from orchestration.settings import Settings
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.connection import glance
from orchestration.warehouse.errors import WarehouseMissingError, WarehouseUnusableError
from orchestration.warehouse.raw_tables import WITH_TABLE


def modelled_loads(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Call → the last load with news of it that was counted behind its models."""
    return dict(
        con.execute(
            "select call, coalesce(max(counted_load_id), 0) from raw.completeness group by call"
        ).fetchall()
    )


def calls_behind(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The calls with rows of later loads, and with a table that could show them."""
    return sorted(call for call in with_rows_since(con, modelled_loads(con)) if call in WITH_TABLE)


def with_rows_since(con: duckdb.DuckDBPyConnection, loads: Mapping[str, int]) -> list[str]:
    """The calls with rows of later loads than these, call by call."""
    newer = " union all ".join(
        f"select '{call}' where exists (from raw.\"{call}\" where load_id > {loads.get(call, 0)})"
        for call in CALLS
    )
    return [call for (call,) in con.execute(newer).fetchall()]


def has_uncounted(con: duckdb.DuckDBPyConnection, behind: list[str]) -> bool:
    """Whether lines of a load are in no count, and no model has to run before they are.

    So it is of rejects, and of calls without a table, if their process died behind the load.

    Args:
        con: The warehouse.
        behind: The calls with rows that their models have not had; these are counted behind them.
    """
    counted = max(modelled_loads(con).values(), default=0)
    # what comes to nothing has no row in the counts, so that nothing could say it was counted
    found = con.execute(
        """
        from raw.landed_count semi join (
            from raw.landed_count
            where load_id > $1 and load_id <= $2 and not list_contains($3::varchar[], call)
        ) using (call, source, hour)
        select 1 group by call, source, hour having sum(lines) <> 0 limit 1
        """,
        [counted, highest_load(con), behind],
    )
    return found.fetchone() is not None


class Pending(NamedTuple):
    """What has still to be done in a warehouse."""

    last_load: int = 0
    is_half_restored: bool = False
    calls: tuple[str, ...] = ()
    """Those whose models have not had all."""
    failing: Mapping[str, Failing] = {}
    is_uncounted: bool = False
    """Whether lines are in no count though no model lacks them."""
    problem: str = ""
    """Why nothing is known of it."""


_remembered: dict[str, tuple[object, Pending]] = {}


def pending(settings: Settings) -> Pending:
    """Look, and hold nobody up; while nobody writes to the warehouse the answer is remembered."""
    try:
        written = catalog_of(settings).version()
        known, answer = _remembered.get(settings.place, (None, Pending()))
        if written is not None and written == known:
            return answer
        answer = _look(settings)
    except WarehouseMissingError:
        return Pending()
    except (WarehouseUnusableError, duckdb.Error) as error:  # a run that loads what waits says more
        return Pending(last_load(settings.landing), problem=str(error))
    if written is not None:
        _remembered[settings.place] = written, answer
    return answer


def _look(settings: Settings) -> Pending:
    with glance(settings) as con:
        behind = calls_behind(con)
        return Pending(
            highest_load(con),
            is_half_restored(con),
            tuple(behind),
            failing_models(con),
            has_uncounted(con, behind),
        )
