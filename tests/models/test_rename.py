"""Tables move to another name or they do not; half way there is a way on and one back."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from orchestration import by_hand
from orchestration.erasure import erase
from orchestration.errors import DbtFailedError
from orchestration.loading import suppressed
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id
from orchestration.models import run
from orchestration.models.schema_name import (
    PARTS,
    SchemaMovedError,
    drop_others,
    refuse_another_name,
)
from orchestration.settings import Settings
from orchestration.warehouse.catalog import tables, views
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.house import House

WHOLE = ("alias", "track")


COPIES = (
    "select message_id, load_id as _seamline_load_id, file as _seamline_file, "
    "line as _seamline_line from raw."
)
"""What a staging view of ours has, of a call's raw table."""


def build(settings: Settings, schema: str, calls: tuple[str, ...] = WHOLE) -> None:
    """What dbt has built of a name's tables once it has come so far."""
    with writer_lock(settings), connect(settings) as con:
        for part in PARTS:
            con.execute(f"create schema if not exists {schema}{part}")
        for call in calls:
            view = f"{schema}_staging.stg_segment__{call}"
            con.execute(f"create view if not exists {view} as {COPIES}{call}")
            con.execute(f"create table if not exists {schema}.{call} as from {view}")
        if calls == WHOLE:
            con.execute(f"create view if not exists {schema}_warehouse.tracks as from raw.track")


def relations(settings: Settings) -> set[str]:
    with connect(settings, read_only=True) as con:
        rows = con.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'seamline' "
            "union select schema_name, view_name from duckdb_views() "
            "where database_name = 'seamline' and not internal"
        ).fetchall()
    return {f"{schema}.{name}" for schema, name in rows if schema not in ("raw", "columns")}


def of(schema: str) -> set[str]:
    staging = {f"{schema}_staging.stg_segment__{call}" for call in WHOLE}
    return staging | {f"{schema}.{call}" for call in WHOLE} | {f"{schema}_warehouse.tracks"}


@pytest.fixture
def other(made_warehouse: Settings) -> Settings:
    """The name is set to another than the one that has the tables."""
    build(made_warehouse, "segment")
    return House(made_warehouse.catalog.parents[1], integration_name="Other").settings


@pytest.fixture
def dbt_builds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let a run of the models build what is said of the name that is set, and end so."""
    # what reads the project
    monkeypatch.setattr(by_hand, "users_relations", lambda *_: [])
    monkeypatch.setattr(by_hand, "users_columns", lambda *_: [])
    monkeypatch.setattr(by_hand, "own_relations", lambda con, *_: tables(con) | views(con))

    def builds(calls: tuple[str, ...], **failed: str) -> None:
        def run_models(settings: Settings) -> list[Any]:
            build(settings, settings.schema_name, calls)
            return [
                SimpleNamespace(
                    status="error", message="no", node=SimpleNamespace(name=name, fqn=fqn.split())
                )
                for name, fqn in failed.items()
            ]

        monkeypatch.setattr(run, "run_models", run_models)

    return builds


class KilledError(Exception):
    """The process is dead."""


class DyingConnection:
    """A connection whose process dies before one of the things that it drops."""

    def __init__(self, con: Any, dropped: int) -> None:
        """Die after so many."""
        self._con, self._left = con, dropped

    def __getattr__(self, name: str) -> Any:
        """All else is the connection's."""
        return getattr(self._con, name)

    def execute(self, sql: str, *more: Any) -> Any:
        """Execute, or die."""
        if sql.startswith("drop"):
            if not self._left:
                raise KilledError
            self._left -= 1
        return self._con.execute(sql, *more)


@pytest.mark.long
def test_the_old_tables_go_all_at_once_or_not(other: Settings) -> None:
    build(other, "other")
    everything = len(of("segment")) + len(PARTS)
    for dropped in (0, 2, everything - 1):
        with writer_lock(other), connect(other) as con:
            ours = tables(con) | views(con)
        with writer_lock(other), connect(other) as con, pytest.raises(KilledError):
            drop_others(DyingConnection(con, dropped), other, ours)  # type: ignore[arg-type]
        assert relations(other) == of("segment") | of("other")

    with writer_lock(other), connect(other) as con:
        ours = tables(con) | views(con)
        drop_others(DyingConnection(con, everything), other, ours)  # type: ignore[arg-type]
    assert relations(other) == of("other")


@pytest.mark.long
def test_a_failing_model_of_a_user_keeps_no_table_from_moving(
    other: Settings, dbt_builds: Callable[..., None]
) -> None:
    with writer_lock(other), connect(other) as con:
        con.execute("create table segment.broken as select 1 as mine")
    dbt_builds(WHOLE, broken="seamline mine broken")

    assert "moved from segment" in by_hand.rename_schema(other)

    assert relations(other) == of("other") | {"segment.broken"}
    with connect(other, read_only=True) as con:
        refuse_another_name(con, other)


@pytest.fixture(params=[("alias",), WHOLE], ids=["early", "late"])
def half_way(
    request: pytest.FixtureRequest, other: Settings, dbt_builds: Callable[..., None]
) -> Settings:
    """One of our models failed, before the tables that tell a whole schema or behind them."""
    dbt_builds(request.param, track="seamline segment track")
    with pytest.raises(DbtFailedError) as failed:
        by_hand.rename_schema(other)
    assert "track: no" in str(failed.value)
    assert "The tables in 'segment' are as they were" in str(failed.value)
    assert of("segment") < relations(other)
    return other


@pytest.mark.any_one
def test_from_half_way_it_can_be_done_again(
    half_way: Settings, dbt_builds: Callable[..., None]
) -> None:
    dbt_builds(WHOLE)

    assert "moved from segment" in by_hand.rename_schema(half_way)

    assert relations(half_way) == of("other")


@pytest.mark.long
def test_from_half_way_it_can_be_gone_back_from(
    half_way: Settings, dbt_builds: Callable[..., None], own_house: House
) -> None:
    dbt_builds(WHOLE)

    assert "moved from other" in by_hand.rename_schema(own_house.settings)

    assert relations(half_way) == of("segment")


@pytest.mark.any_one
def test_half_way_nothing_goes_on_in_either_and_what_is_said_is_true(
    half_way: Settings, own_house: House
) -> None:
    """Loads and erasures that knew of one of them alone would leave the other as it is."""
    for settings, wanted, left in (
        (own_house.settings, "segment", "other"),
        (half_way, "other", "segment"),
    ):
        with connect(settings, read_only=True) as con, pytest.raises(SchemaMovedError) as refused:
            refuse_another_name(con, settings)

        said = str(refused.value)
        assert f"There are tables in {left!r} as well as in {wanted!r}" in said
        assert f"brings those in {wanted!r} up to date from raw and drops {left!r}." in said
        assert f"To keep {left!r} instead, set the name back and then run `make rename`" in said


def make(settings: Settings, *statements: str) -> None:
    with writer_lock(settings), connect(settings) as con:
        for statement in statements:
            con.execute(statement)


MINE = (
    "create schema analytics; create schema analytics_staging; create schema analytics_warehouse",
    "create table analytics.page as select 'mine' as message_id, 'by hand' as user_id",
    "create view analytics_warehouse.tracks as select 1 as mine",
)
"""What dbt makes of models on Segment's data with the target `analytics`."""
STAGED = {
    "no call's": "stg_segment__orders as select 1 as a",
    "on ours": "stg_segment__page as select * from segment.track",
    "with raw": (
        "stg_segment__page as select kept._seamline_load_id as _seamline_load_id, payload "
        "from segment.track as kept join raw.page using (message_id)"
    ),
    "beside a table of theirs": f"stg_segment__page as {COPIES}page",
}


@pytest.mark.any_one
@pytest.mark.parametrize("staged", STAGED.values(), ids=STAGED)
def test_a_users_view_in_a_staging_schema_stops_nothing_and_no_move_drops_their_tables(
    made_warehouse: Settings,
    dbt_builds: Callable[..., None],
    staged: str,
) -> None:
    build(made_warehouse, "segment")
    make(made_warehouse, *MINE, f"create view analytics_staging.{staged}")
    everything = relations(made_warehouse)

    with connect(made_warehouse, read_only=True) as con:
        refuse_another_name(con, made_warehouse)
    dbt_builds(WHOLE)
    assert "were there already" in by_hand.rename_schema(made_warehouse)

    assert relations(made_warehouse) == everything
    other = House(made_warehouse.catalog.parents[1], integration_name="Other").settings
    assert "moved from segment)" in by_hand.rename_schema(other)
    assert {one for one in everything if "analytics" in one} | of("other") == relations(other)


def test_what_is_there_of_a_name_before_its_first_table_is_ours(
    other: Settings, own_house: House
) -> None:
    make(
        other,
        "create schema other; create schema other_staging",
        f'create view other_staging.stg_segment__group as {COPIES}"group"',
    )

    with connect(other, read_only=True) as con, pytest.raises(SchemaMovedError, match="as well as"):
        refuse_another_name(con, own_house.settings)


def test_an_erasure_waits_until_the_tables_are_in_one_schema(
    other: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of the person would stay in the tables of the other name."""
    load(other)
    monkeypatch.setattr(erase, "SEEN_SECONDS", 0)

    with pytest.raises(SchemaMovedError):
        erase.forget(other, {Id(USER, "kim")})

    assert suppressed.to_be_done(other.landing)  # the hourly one, or the next, does it
