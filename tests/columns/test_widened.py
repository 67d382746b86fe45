"""Final tables whose columns of numbers follow what is placed, and those of an earlier version."""

from typing import Any

import pytest

from orchestration.columns import update, widened
from orchestration.columns.rules import ColumnRules
from orchestration.columns.update import create_column_tables, update_placement
from orchestration.erasure.purge import sweep
from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.upkeep.parquet_files import rewrite_small_files
from orchestration.warehouse.catalog import CATALOG, full_name
from orchestration.warehouse.connection import connect
from orchestration.warehouse.rewrite import write_anew
from orchestration.warehouse.transaction import transaction
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed

BIG = 2**53 + 1


class KilledError(Exception):
    """The process is dead."""


def place(settings: Settings) -> list[str]:
    with writer_lock(settings), connect(settings) as con:
        create_column_tables(con)
        return update_placement(con, ColumnRules())


def send(settings: Settings, *values: Any) -> None:
    lines = [landed.line({"properties": {"n": value}}, message_id=str(value)) for value in values]
    landed.land(settings.landing, "track", *lines)
    load(settings)


@pytest.fixture
def whole(made_warehouse: Settings) -> Settings:
    """A final table with whole numbers, as dbt makes it."""
    send(made_warehouse, 39, BIG, -BIG)
    place(made_warehouse)
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute("create schema segment")
        con.execute(
            "create table segment.track as select message_id, "
            "(payload -> '$.properties.n')::bigint as properties__n from raw.track"
        )
    return made_warehouse


def numbers(settings: Settings) -> list[tuple[Any, ...]]:
    with connect(settings, read_only=True) as con:
        return con.execute(
            "select properties__n, properties__n__string from segment.track order by message_id"
        ).fetchall()


WIDENED = [(None, str(-BIG)), (39.0, None), (None, str(BIG))]


def test_the_table_has_doubles_and_digits_before_the_models_run(whole: Settings) -> None:
    send(whole, 39.95)

    place(whole)

    assert numbers(whole) == WIDENED


def test_a_reader_goes_on_with_what_it_began_with(whole: Settings) -> None:
    with connect(whole, read_only=True) as reader:
        reader.execute("begin")
        query = "select sum(properties__n), typeof(any_value(properties__n)) from segment.track"
        before = reader.execute(query).fetchall()
        send(whole, 39.95)
        place(whole)

        assert reader.execute(query).fetchall() == before == [(39, "BIGINT")]


@pytest.mark.parametrize("dies_at", ["_merge", "restore_digits", "_replace"])
def test_whose_process_dies_half_way_it_is_done_by_the_next(
    whole: Settings, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    def die(*_: object) -> None:
        raise KilledError

    send(whole, 39.95)
    with monkeypatch.context() as patched:
        patched.setattr(widened if dies_at == "_merge" else update, dies_at, die)
        with pytest.raises(KilledError):
            place(whole)
    place(whole)

    assert numbers(whole) == WIDENED


def test_where_nothing_widens_no_table_is_looked_at(
    whole: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(whole, 40)
    monkeypatch.setattr(update, "follow_numbers", None)

    place(whole)


def test_small_files_of_whole_numbers_and_of_doubles_become_one_and_an_erasure_leaves_nothing(
    whole: Settings,
) -> None:
    send(whole, 39.95)
    place(whole)
    with writer_lock(whole), connect(whole) as con:
        for number in (4711, 0.5):
            con.execute("insert into segment.track values ('later', $1, null)", [number])
    before = numbers(whole)

    rewrite_small_files(whole)

    assert numbers(whole) == before
    with writer_lock(whole):
        with connect(whole) as con, transaction(con):
            write_anew(
                con, full_name("segment", "track"), None, "coalesce(properties__n = 4711, false)"
            )
        sweep(whole)
    assert set(numbers(whole)) == {*WIDENED, (0.5, None)}
    with connect(whole, read_only=True) as con:
        statistics = con.execute(f"from {CATALOG}.ducklake_table_column_stats").fetchall()
    assert "4711" not in str(statistics)
