from pathlib import Path

import pytest

from benchmarks.history.copies import COPIES, Old, land_on_history, old_events, require_dropped
from benchmarks.history.rows import ROUND, message_id, write_history
from benchmarks.landed_events import SHARES, land
from orchestration.audit import completeness
from orchestration.audit.problems import problems
from orchestration.loading import journal
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.house import House, once

ROUNDS = 2

COMPARED = "* exclude (_sdc_batched_at)"


@pytest.fixture(scope="session")
def made_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(house: House) -> None:
        house.landing.mkdir()
        land(house.landing, 300)
        house.run("load")
        write_history(house.settings, 0, 1)
        write_history(house.settings, 1, ROUNDS)

    return once(tmp_path_factory, "history", make)


@pytest.fixture
def with_history(made_history: Path, tmp_path: Path) -> House:
    return House(tmp_path).move_in(made_history)


@pytest.mark.long
def test_the_rows_of_a_history_are_what_the_models_make_of_its_raw_rows(
    with_history: House,
) -> None:
    for call, share in SHARES.items():
        staged = f'select {COMPARED} from segment_staging."stg_segment__{call}"'
        final = f'select {COMPARED} from segment."{call}"'
        of_history = "where _seamline_load_id > 1"
        assert with_history.rows(f"{staged} {of_history} except all {final}") == []
        assert with_history.rows(f"{final} {of_history} except all {staged}") == []
        ((rows, ids),) = with_history.rows(
            f'select count(*), count(distinct message_id) from segment."{call}" {of_history}'
        )
        assert rows == ids == ROUNDS * ROUND * share // 100


@pytest.mark.long
def test_ledger_counts_and_journal_of_a_history_are_those_of_its_rows(with_history: House) -> None:
    counts = "select * exclude (counted_at, counted_load_id) from raw.completeness order by all"
    before = with_history.rows(counts)
    with writer_lock(with_history.settings), connect(with_history.settings) as con:
        assert journal.last_load(with_history.landing) == 1 + ROUNDS
        completeness.count_all(con, with_history.settings)
        assert list(problems(con, with_history.settings)) == []
    assert with_history.rows(counts) == before
    for call in SHARES:
        ((in_files, in_raw),) = with_history.rows(
            f"""
            select
                (select sum(rows)::bigint from raw.landed_file where call = $call),
                (select count(*) from raw."{call}")
            """,
            {"call": call},
        )
        assert in_files == in_raw


@pytest.mark.long
def test_copies_of_old_events_are_dropped(with_history: House) -> None:
    settings: Settings = with_history.settings
    land_on_history(settings, ROUNDS, 1)
    with_history.load()
    ((new,),) = with_history.rows("select count(*) from raw.track where load_id > $1", [1 + ROUNDS])
    with pytest.raises(SystemExit):  # the models have not run: the copy is no row, nor a second one
        require_dropped(settings, ROUNDS + 1)
    with_history.models("track")
    require_dropped(settings, ROUNDS)
    copies = sum(old.call == "track" for old in old_events(ROUNDS, 1))
    assert with_history.rows(
        "select count(*) from segment.track where _seamline_load_id > $1", [1 + ROUNDS]
    ) == [(new - copies,)]


def test_old_events_are_others_each_time_but_for_the_oldest() -> None:
    one, other = old_events(100, 1), old_events(100, 2)
    assert len(set(one)) == len(set(other)) == COPIES
    assert one[0] == other[0] == Old("track", 99, 0)
    assert len(set(one) & set(other)) < COPIES / 10


@pytest.mark.long
def test_an_id_is_as_sql_makes_it(with_history: House) -> None:
    assert with_history.rows(
        "select count(*) from segment.page where message_id = $1", [message_id("page", 1, 7)]
    ) == [(1,)]
