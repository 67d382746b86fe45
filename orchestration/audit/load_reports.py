"""`raw.load`: when each load was shown by each table, and how long its parts took.

A row per load and table, added once its models have had it. What a load brought is in the ledger
(`raw.landed_file`) and the raw tables, of all loads there were; the view `loads` has both together.
"""

from collections.abc import Collection, Mapping

import duckdb
import pyarrow as pa

from orchestration.loading import seconds
from orchestration.warehouse.catalog import literal, number

_PARTS = ("read", "fields", "insert", "commit")


def add(
    con: duckdb.DuckDBPyConnection,
    place: str,
    shown: Mapping[str, int],
    behind: Collection[str],
    last: int,
    models: Mapping[str, float | None],
) -> None:
    """Add the loads that are shown since the last time; in an open transaction.

    What was made again from the files was shown long before, and is not added.

    Args:
        con: The warehouse.
        place: Where its catalog is.
        shown: The calls with news that are shown → the last load that was shown before.
        behind: The calls whose models have not had all.
        last: The last load that was counted before, of any call.
        models: The models that have run, with their seconds; where these were not noted with the
            loads themselves.
    """
    since = max(min([*shown.values(), last]), number(con, "select max(load_id) from raw.restored"))
    cases = "".join(f" when {literal(call)} then {load}" for call, load in shown.items())
    known = f"case call{cases} else {last} end" if cases else f"{last}"
    known_of = seconds.take(place)
    con.register("took", _took(known_of))
    con.register("modelled", _modelled(known_of))
    con.register("models", pa.table([list(models), list(models.values())], _MODELS))
    con.execute(
        f"""
        insert into raw.load by name
        select
            load_id, call, timezone('UTC', coalesce(took.shown_at, now())) as shown_at,
            took.* exclude (load_id, shown_at),
            coalesce(modelled.models_seconds, models.models_seconds) as models_seconds
        from (
            select distinct load_id, call from raw.landed_file
            where load_id > {since} and load_id > {known} and rows + rejected > 0
                and not list_contains($behind, call)
        )
        left join took using (load_id)
        left join modelled using (load_id, call)
        left join models using (call)
        anti join (select load_id, call from raw.load where load_id > {since})
            using (load_id, call)
        """,
        {"behind": list(behind)},
    )
    con.unregister("models")
    con.unregister("modelled")
    con.unregister("took")


_MODELS = pa.schema({"call": pa.string(), "models_seconds": pa.float64()})
_MODELLED = pa.schema({"load_id": pa.int64(), **{one.name: one.type for one in _MODELS}})


def _modelled(loads: Mapping[int, seconds.Seconds]) -> pa.Table:
    rows = [
        {"load_id": load_id, "call": call, "models_seconds": took}
        for load_id, one in loads.items()
        for call, took in one.models.items()
    ]
    return pa.Table.from_pylist(rows, _MODELLED)


def _took(loads: Mapping[int, seconds.Seconds]) -> pa.Table:
    columns = {
        f"{part}_seconds": pa.array([getattr(one, part) for one in loads.values()], pa.float64())
        for part in _PARTS
    }
    shown_at = pa.array([one.shown_at for one in loads.values()], pa.timestamp("us", "UTC"))
    return pa.table({"load_id": pa.array(loads, pa.int64()), "shown_at": shown_at, **columns})


def forget(con: duckdb.DuckDBPyConnection, days: float) -> int:
    """Remove what is older than some days; in an open transaction.

    Returns:
        How many rows went.
    """
    return number(
        con,
        "delete from raw.load where shown_at < timezone('UTC', now()) - to_seconds($1)",
        days * 86_400,
    )
