"""Final tables whose columns of numbers follow what is placed, and those of an earlier version."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestration.columns import update, widened
from orchestration.columns.rules import ColumnRules, FieldRule
from orchestration.columns.update import create_column_tables, update_placement
from orchestration.erasure.purge import sweep
from orchestration.loading.load import load
from orchestration.recovery import ownership
from orchestration.settings import Settings
from orchestration.upkeep.parquet_files import rewrite_small_files
from orchestration.warehouse.catalog import CATALOG, comments, full_name
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
        return update_placement(con, "segment", ColumnRules())


def send(settings: Settings, *values: Any) -> None:
    lines = [landed.line({"properties": {"n": value}}, message_id=str(value)) for value in values]
    landed.land(settings.landing, "track", *lines)
    load(settings)


@pytest.fixture
def whole(copy_of: Callable[..., Settings]) -> Settings:
    """A final table with whole numbers, as dbt makes it."""

    def make(settings: Settings) -> None:
        send(settings, 39, BIG, -BIG)
        place(settings)
        run(
            settings,
            "create schema segment",
            "create table segment.track as select message_id, "
            "(payload -> '$.properties.n')::bigint as properties__n from raw.track",
        )

    return copy_of("whole-numbers", make)


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


@pytest.mark.any_one
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


@pytest.mark.long
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


@pytest.mark.long
def test_digits_that_move_to_the_text_are_not_read_again_from_the_payloads(whole: Settings) -> None:
    staged(whole)
    send(whole, 39.95)

    place(whole)

    assert rows(whole, "from columns.to_fill") == []


@pytest.fixture
def earlier(copy_of: Callable[..., Settings]) -> Settings:
    """A final table with fractions beside whole numbers, as an earlier version made it."""

    def make(settings: Settings) -> None:
        send(settings, 39, 39.95)
        place(settings)
        placement = "update columns.placement set"
        run(
            settings,
            "create schema segment",
            "create table segment.track as "
            "select 39::bigint as properties__n, null::double as properties__n__double "
            "union all select null, 39.95",
            f"{placement} column_type = 'bigint' where type = 'bigint'",
            f"{placement} column_name = 'properties__n__double' where type = 'double'",
            "delete from columns.placed",
        )
        staged(settings)

    return copy_of("numbers-of-an-earlier-version", make)


@pytest.mark.long
def test_fractions_of_an_earlier_version_move_once_and_are_not_read_again(
    earlier: Settings,
) -> None:
    place(earlier)

    assert rows(earlier, "from segment.track order by all") == [(39.0,), (39.95,)]
    assert rows(earlier, "from columns.to_fill") == []


@pytest.mark.long
def test_a_column_that_a_view_still_names_stays_empty_and_is_no_users(earlier: Settings) -> None:
    run(earlier, "create view segment.mine as select properties__n__double from segment.track")

    assert place(earlier) == ["track.properties__n__double"]

    assert rows(earlier, "from segment.mine") == [(None,), (None,)]
    with connect(earlier, read_only=True) as con:
        comment = comments(con)["column", "segment", "track", "properties__n__double"]
    assert comment.startswith(ownership.FOUND)


@pytest.mark.long
def test_a_table_that_is_about_to_be_exchanged_stays_as_it_is(whole: Settings) -> None:
    """Its refresh may fail, and it goes on by the rules it has."""
    send(whole, "many")
    place(whole)
    before = rows(whole, "describe segment.track")
    double = FieldRule(path=("properties", "n"), type="double")

    with writer_lock(whole), connect(whole) as con:
        rules = ColumnRules(fields=(double,))
        update_placement(con, "segment", rules, {"track": rules}, anew={"track"})

    assert rows(whole, "describe segment.track") == before
    assert rows(whole, "from raw.repair where what = 'digits'") == []


@pytest.mark.long
def test_fractions_of_a_column_of_texts_stay_beside_it(made_warehouse: Settings) -> None:
    send(made_warehouse, "many", 39)
    place(made_warehouse)
    run(
        made_warehouse,
        "create schema segment",
        "create table segment.track as select 'many' as properties__n, 39 as properties__n__bigint",
    )
    double = FieldRule(path=("properties", "n"), type="double")

    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        rules = ColumnRules(fields=(double,))
        update_placement(con, "segment", rules, {"track": rules})

    assert rows(made_warehouse, "from segment.track") == [("many", 39)]


@pytest.mark.long
def test_a_column_of_an_earlier_version_of_digits_alone_gets_its_name_of_today(
    made_warehouse: Settings,
) -> None:
    landed.land(
        made_warehouse.landing, "track", landed.line({"Größe": BIG}, message_id="of an earlier one")
    )
    load(made_warehouse)
    place(made_warehouse)
    run(
        made_warehouse,
        "create schema segment",
        f"create table segment.track as select {BIG} as gr_e",
        "update columns.placement set type = 'bigint', column_name = 'gr_e' where path = 'Größe'",
        "delete from columns.placed",
    )
    staged(made_warehouse)

    place(made_warehouse)

    assert rows(made_warehouse, "select größe from segment.track") == [(BIG,)]


def staged(settings: Settings) -> None:
    run(
        settings,
        "create schema segment_staging",
        "create view segment_staging.stg_segment__track as select 1 as one",
    )


def run(settings: Settings, *statements: str) -> None:
    with writer_lock(settings), connect(settings) as con:
        for statement in statements:
            con.execute(statement)


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with connect(settings, read_only=True) as con:
        return con.execute(query).fetchall()
