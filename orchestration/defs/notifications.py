"""Sensors that tell others: there where an address is set, and never in the way of a load.

Each remembers in its cursor what it has told. What could not be delivered is told at the next tick.
"""

import time
from datetime import UTC, datetime
from typing import Any, cast

import dagster as dg
import msgspec
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from orchestration.notifications import alerts, loads
from orchestration.notifications.alerts import CheckState, Failure
from orchestration.notifications.post import NotDeliveredError, post
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.errors import WarehouseMissingError

_TICK_SECONDS = 20.0
"""So long a tick tells of loads: one that takes a minute is cut by Dagster, and its cursor lost."""

_RUNS = 50
"""So many failed runs are told at a time."""


class Told(msgspec.Struct):
    """The cursor of the alerts."""

    failing: list[str] = []
    """The checks that did not pass."""
    until: float = 0
    """When the last run that was told of failed, in seconds since 1970."""


@dg.sensor(
    name="alerts",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends failed runs, failing checks and checks that are well again to "
    "SEAMLINE_ALERTS_URL.",
)
def tell_alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Tell what is new since the last message; at the first tick, what is wrong now."""
    settings = Settings()
    told = _decoded(context.cursor, Told)
    if not context.cursor:
        told.until = time.time()
    failures, until = _failures(context.instance, settings, told.until)
    states = _states(context)
    found = alerts.changes(failures, states, told.failing)
    # one that is being made has no state just now
    failing = [key for key in told.failing if key not in states]
    now = Told(failing + [key for key, state in states.items() if not state.passed], until)
    if found.is_nothing:
        return dg.SensorResult(
            skip_reason="Since the last message no run has failed and no check has changed.",
            cursor=msgspec.json.encode(now).decode(),
        )
    url = str(settings.alerts_url)
    try:
        post(url, alerts.message(url, found, settings.integration_name))
    except NotDeliveredError as error:
        now, reason = told, f"{error}. It is tried again at the next tick."
    else:
        reason = (
            f"Told of {len(found.failures)} failed runs, {len(found.failing)} checks that do not "
            f"pass and {len(found.well_again)} that do again."
        )
    return dg.SensorResult(skip_reason=reason, cursor=msgspec.json.encode(now).decode())


@dg.sensor(
    name="loaded",
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends to SEAMLINE_LOADED_URL what each load has brought to each table, as "
    "Stitch's post-load webhook does.",
)
def tell_loads(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Tell of loads that the final tables show; at the first tick remember the last one."""
    settings = Settings()
    try:
        with connect(settings, read_only=True) as con:
            if context.cursor is None:
                cursor = msgspec.json.encode(loads.newest(con)).decode()
                return dg.SensorResult(skip_reason="Loads are told from now on.", cursor=cursor)
            told = _decoded(context.cursor, dict[str, int])
            news = list(loads.brought(con, settings, told))
    except WarehouseMissingError:
        return dg.SkipReason("Nothing was loaded yet.")
    reason = (
        f"Told what loads have brought: {len(news)} messages."
        if news
        else "No table shows a load that was not told of before."
    )
    until = time.monotonic() + _TICK_SECONDS
    for one in news:
        if time.monotonic() > until:
            reason = "Told of what there was time for; the rest is told at the next tick."
            break
        try:
            post(str(settings.loaded_url), one.body)
        except NotDeliveredError as error:
            reason = f"{error}. It is tried again at the next tick."
            break
        told[one.call] = one.load_id
    return dg.SensorResult(skip_reason=reason, cursor=msgspec.json.encode(told).decode())


def _decoded(cursor: str | None, kind: Any) -> Any:
    return msgspec.json.decode(cursor, type=kind) if cursor else kind()


def _failures(
    instance: dg.DagsterInstance, settings: Settings, since: float
) -> tuple[list[Failure], float]:
    """The runs that failed after a time, and when the last of them did."""
    records = instance.get_run_records(
        dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.FAILURE],
            updated_after=datetime.fromtimestamp(since, UTC),
        ),
        limit=_RUNS,
        order_by="update_timestamp",
        ascending=True,
    )
    ui = f"http://{settings.dagster_host}:{settings.dagster_port}/runs"
    failed = [
        Failure(run.job_name, run.run_id, f"{ui}/{run.run_id}")
        for run in (record.dagster_run for record in records)
    ]
    ends = (record.update_timestamp.timestamp() for record in records)
    return failed, max(ends, default=since)


def _states(context: dg.SensorEvaluationContext) -> dict[str, CheckState]:
    """What each check has found last, by its key, of those that were made."""
    repository = cast("dg.RepositoryDefinition", context.repository_def)
    keys = sorted(repository.asset_graph.asset_check_keys, key=str)
    found = context.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    states = {}
    for key, record in found.items():
        evaluation = record.event and record.event.dagster_event
        if record.status is AssetCheckExecutionRecordStatus.PLANNED or evaluation is None:
            continue
        data = evaluation.asset_check_evaluation_data
        states[key.to_user_string()] = CheckState(
            key.name, key.asset_key.to_user_string(), data.passed, data.description or ""
        )
    return states


def sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Those for which there is an address."""
    wanted = [(settings.alerts_url, tell_alerts), (settings.loaded_url, tell_loads)]
    return [sensor for url, sensor in wanted if url]
