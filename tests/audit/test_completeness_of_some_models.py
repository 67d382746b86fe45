"""What the models of a call have not had yet waits: it is neither loaded nor lost."""

from collections.abc import Callable

import pytest

from orchestration.audit.completeness import count
from orchestration.audit.problems import problems
from orchestration.loading.load import load
from orchestration.models.pending_models import calls_behind
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.warehouse import reading

KEPT = (
    "message_id, received_at as _sdc_received_at, source as _seamline_source, "
    "file as _seamline_file, line as _seamline_line"
)


@pytest.fixture
def house(copy_of: Callable[..., Settings]) -> Settings:
    """A house with the final tables of two calls, as far as they matter here."""

    def make(settings: Settings) -> None:
        with writer_lock(settings), connect(settings) as con:
            con.execute("create schema segment")
            for call in ("track", "page"):
                con.execute(f"create table segment.{call} as select {KEPT} from raw.{call}")

    return copy_of("two-final-tables", make)


def land(settings: Settings, call: str, message_id: str, hour: int = 5) -> None:
    received = f"2026-11-22T{hour:02}:24:46.123456Z"
    event = landed.line({"messageId": message_id}, received_at=received)
    landed.land(settings.landing, call, event)


def model(settings: Settings, *calls: str) -> None:
    """What a run of some models does; one row per message, of the first copy."""
    with writer_lock(settings), connect(settings) as con:
        for call in calls:
            con.execute(
                f"create or replace table segment.{call} as select {KEPT} from raw.{call} qualify "
                "row_number() over (partition by message_id order by received_at) = 1"
            )
        count(con, settings, dict.fromkeys(calls, 0.0))


def sums(settings: Settings) -> dict[tuple[str, int], tuple[int, ...]]:
    """Call and hour → received, loaded, waiting, rows, duplicate; they hold."""
    with reading(settings) as con:
        assert problems(con, settings) == []
        rows = con.execute(
            "select call, hour(hour), received, loaded, waiting, rows, duplicate "
            "from raw.completeness"
        ).fetchall()
    return {(call, hour): tuple(numbers) for call, hour, *numbers in rows}


def test_a_run_of_other_models_between_a_load_and_its_own_raises_no_alarm(house: Settings) -> None:
    land(house, "track", "t")
    land(house, "page", "p")
    load(house)

    model(house, "page")

    assert sums(house) == {("page", 5): (1, 1, 0, 1, 0), ("track", 5): (1, 0, 1, None, None)}


@pytest.mark.long
def test_once_its_models_have_run_it_is_loaded_and_older_hours_are_counted_again(
    house: Settings,
) -> None:
    land(house, "track", "t", hour=7)
    load(house)
    model(house, "track", "page")
    assert sums(house) == {("track", 7): (1, 1, 0, 1, 0)}

    land(house, "track", "t", hour=5)
    load(house)
    model(house, "page")
    assert sums(house)["track", 7] == (1, 1, 0, 1, 0)

    model(house, "track")

    assert sums(house) == {("track", 5): (1, 1, 0, 1, 0), ("track", 7): (1, 1, 0, 0, 1)}


@pytest.mark.long
def test_a_row_that_is_lost_is_still_found_while_other_loads_wait(house: Settings) -> None:
    land(house, "track", "lost")
    load(house)
    model(house, "track", "page")
    land(house, "track", "waits")
    load(house)
    with writer_lock(house), connect(house) as con:
        con.execute("delete from segment.track where message_id = 'lost'")
        count(con, house)

        (problem,) = problems(con, house)

    assert "1 loaded, but 0 rows + 0 duplicates" in str(problem)


def behind(settings: Settings) -> list[str]:
    with reading(settings) as con:
        return calls_behind(con)


@pytest.mark.long
def test_all_that_models_lack_waits_from_the_oldest_load_on(house: Settings) -> None:
    for message_id in ("a", "b", "c"):
        land(house, "track", message_id)
        load(house)
        model(house, "page")

    assert sums(house) == {("track", 5): (3, 0, 3, None, None)}
    assert behind(house) == ["track"]


@pytest.mark.long
def test_behind_a_load_of_copies_alone_the_models_lack_nothing_once_they_have_run(
    house: Settings,
) -> None:
    """Its rows are in no final table, so these do not tell."""
    for _ in range(2):
        land(house, "track", "a")
        load(house)
        model(house, "track")

    assert behind(house) == []


@pytest.mark.long
def test_a_table_that_could_not_be_built_at_first_lacks_nothing_once_it_is(
    house: Settings,
) -> None:
    with writer_lock(house), connect(house) as con:
        con.execute("drop table segment.page")
    land(house, "page", "p")
    load(house)
    land(house, "track", "t")
    load(house)
    model(house, "track")
    assert behind(house) == ["page"]

    model(house, "page")

    assert behind(house) == []
    assert sums(house)["page", 5] == (1, 1, 0, 1, 0)


def test_rejects_alone_leave_no_models_behind(house: Settings) -> None:
    landed.land(house.landing, "rejected", landed.rejected_line(b"{", call="track"))
    load(house)

    assert behind(house) == []


@pytest.mark.long
def test_counts_of_an_earlier_version_say_what_its_models_had(house: Settings) -> None:
    """It noted one number for all calls, and the calls that lacked more in files."""
    for call in ("track", "page"):
        land(house, call, call)
        load(house)
        model(house, "track", "page")
    land(house, "page", "another")
    load(house)
    with writer_lock(house), connect(house) as con:
        con.execute("update raw.completeness set counted_load_id = 2")
    assert behind(house) == ["page"]

    with writer_lock(house), connect(house) as con:
        con.execute("update raw.completeness set counted_load_id = null")
    assert behind(house) == ["page", "track"]

    model(house, "track", "page")
    assert behind(house) == []
