"""A receiver died between putting a file and removing it, and the file is shipped once more."""

import pytest

from orchestration.erasure import erase
from orchestration.loading import suppressed
from orchestration.loading.people import USER, Id
from orchestration.upkeep import short_locks
from tests.remote.machines import Loader, Machines, event
from tests.support import landed
from tests.support.landed import land

GONE = "gone-81d2"
NAME = "20261128T052446000000Z-a.ndjson"


@pytest.fixture
def loader(shared: Machines, monkeypatch: pytest.MonkeyPatch) -> Loader:
    """A loader that has loaded, settled and forgotten a file of two people."""
    monkeypatch.setattr(short_locks, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(erase, "SEEN_SECONDS", 0)
    made = shared.loader(seal_seconds=0.3)
    ship(shared)
    made.whole_pass()
    assert shared.keys("waiting") == []
    return made


def ship(shared: Machines) -> None:
    """Ship it, as if for the first time."""
    receiver = shared.receiver()
    lines = (landed.line(event(0, userId=GONE)), landed.line(event(1, userId="stays")))
    land(receiver.landing, "track", *lines, name=NAME)
    receiver.ship()


@pytest.mark.any_one
@pytest.mark.parametrize(
    ("suppress", "is_remembered"), [(True, True), (True, False), (False, True)]
)
def test_an_erased_person_does_not_come_back(
    shared: Machines,
    loader: Loader,
    monkeypatch: pytest.MonkeyPatch,
    suppress: bool,
    is_remembered: bool,
) -> None:
    if not is_remembered:
        monkeypatch.setattr(erase, "_remember_shipped", lambda *_: None)
    erase.forget(loader.settings, {Id(USER, GONE)}, suppress=suppress)

    ship(shared)
    loader.whole_pass()
    loader.whole_pass()

    assert shared.keys("waiting") + shared.keys("conflicts") == []
    assert list(loader.landing.glob("*/*.conflict")) == []
    assert GONE not in shared.text_in_store()
    assert loader.messages() == shared.once(range(1, 2))
    assert loader.problems() == []


@pytest.mark.long
def test_of_another_file_of_the_name_suppressed_people_are_not_kept_either(
    shared: Machines, loader: Loader
) -> None:
    erase.forget(loader.settings, {Id(USER, GONE)})
    receiver = shared.receiver()
    lines = (landed.line(event(2, userId=GONE)), landed.line(event(3, userId="stays")))
    land(receiver.landing, "track", *lines, name=NAME)
    receiver.ship()

    loader.whole_pass()

    assert shared.keys("conflicts") == [f"conflicts/track/{NAME}"]
    assert GONE not in shared.text_in_store()


def test_who_is_to_be_erased_stays_in_a_file_that_is_what_was_loaded(
    shared: Machines, loader: Loader
) -> None:
    suppressed.begin(loader.landing, {Id(USER, GONE)}, suppressed=True)
    ship(shared)

    assert loader.whole_pass().conflicts == []
