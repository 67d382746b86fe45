"""A large erasure goes a part after the other: loads go in between, and a death costs nothing."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest

from orchestration.erasure import erase, targets
from orchestration.erasure.erase import forget, forget_notified
from orchestration.loading import suppressed
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id
from orchestration.upkeep import short_locks
from orchestration.warehouse.writer_lock import is_held
from tests.support import landed
from tests.support.house import House
from tests.support.person import found_in

GONE = "gone-81d2"
OTHER = "gone-91e3"


@pytest.fixture
def crowded(empty: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house with two files of six lines each, of which eight rows go, three at a time."""
    monkeypatch.setattr(erase, "PART_ROWS", 3)
    for number in range(2):
        users = (GONE, "stays", OTHER, GONE, "stays", GONE)
        lines = [
            landed.line({"userId": user}, message_id=f"m-{number}-{n}")
            for n, user in enumerate(users)
        ]
        landed.land(empty.landing, "track", *lines)
    load(empty.settings)
    return empty


def after_each_part(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Do something whenever an erasure has let go of the writer's lock."""

    class Interrupted(short_locks.ShortLocks):
        @contextmanager
        def hold(self) -> Any:
            with super().hold():
                yield
            act()

    monkeypatch.setattr(erase, "ShortLocks", Interrupted)


def is_erased(house: House) -> None:
    assert found_in(house.folder, GONE, OTHER) == []
    assert house.problems() == []
    assert suppressed.to_be_done(house.landing) == []
    sums = house.rows("select kind, sum(lines), count(distinct hash) from raw.erasure group by all")
    assert sums == [("user", 8, 2)]


@pytest.mark.long
def test_loads_go_between_two_parts_and_what_they_bring_stays_accounted_for(
    crowded: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []

    def load_another() -> None:
        number = len(loaded)
        line = landed.line({"userId": "stays"}, message_id=f"between-{number}")
        landed.land(crowded.landing, "track", line)
        loaded.append(load(crowded.settings).files)

    after_each_part(monkeypatch, load_another)

    done = forget(crowded.settings, {Id(USER, GONE), Id(USER, OTHER)})

    assert len(loaded) > 3
    assert set(loaded) == {1}
    assert (done.lines, done.files) == (8, 2)
    users = crowded.rows("select payload ->> '$.userId', count(*) from raw.track group by all")
    assert users == [("stays", 4 + len(loaded))]
    is_erased(crowded)


@pytest.mark.long
def test_what_a_load_between_two_parts_brings_of_the_person_goes_too(
    crowded: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [{"userId": GONE}, {"userId": "stays"}]
    waiting = [landed.line(one, message_id=f"late-{n}") for n, one in enumerate(lines)]

    def load_late() -> None:
        if waiting:
            landed.land(crowded.landing, "track", *waiting)
            waiting.clear()
            load(crowded.settings)

    after_each_part(monkeypatch, load_late)

    done = forget(crowded.settings, {Id(USER, GONE), Id(USER, OTHER)}, suppress=False)

    assert done.lines == 9
    assert found_in(crowded.folder, GONE) == []


class DiedError(Exception):
    """Stands for the death of the process."""


def test_after_a_death_between_two_parts_the_next_erasure_does_the_rest(
    crowded: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = []

    def die_after_two() -> None:
        parts.append(1)
        if len(parts) == 2:
            raise DiedError

    with monkeypatch.context() as patched:
        after_each_part(patched, die_after_two)
        with pytest.raises(DiedError):
            forget(crowded.settings, {Id(USER, GONE), Id(USER, OTHER)})
    ((left,),) = crowded.rows(
        "select count(*) from raw.track where payload ->> '$.userId' <> 'stays'"
    )
    assert 0 < left < 8
    assert crowded.problems() == []  # what was done is done
    assert '"path":"userId"' in (crowded.landing / "suppressed" / "fields.ndjson").read_text()

    forget_notified(crowded.settings)

    is_erased(crowded)


@pytest.mark.long
def test_while_people_are_looked_for_others_write(
    crowded: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []
    find = targets.find

    def watched(*arguments: Any) -> targets.Places:
        held.append(is_held(crowded.settings))
        return find(*arguments)

    monkeypatch.setattr(targets, "find", watched)

    forget(crowded.settings, {Id(USER, GONE), Id(USER, OTHER)})

    assert held == [False]
