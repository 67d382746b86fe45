"""`seamline fetch --all` never puts what a machine has over what the store has."""

import pytest

from landed.object_store import Listed
from orchestration.one_pass import load_once
from orchestration.remote import everything
from orchestration.remote.everything import NotEmptyError
from orchestration.remote.exchange import (
    AnothersStoreError,
    Exchange,
    HalfBroughtError,
    exchange,
)
from orchestration.remote.replica import replicate
from orchestration.remote.settle import settle
from tests.remote.machines import Loader, Machines, event
from tests.support import landed

NAMES = [f"20261128T05244600000{number}Z-a.ndjson" for number in range(3)]


def loaded_by(loader: Loader, *numbers: int) -> None:
    """Have a load for each event, kept in the store."""
    for number in numbers:
        landed.land(loader.landing, "track", landed.line(event(number)), name=NAMES[number])
        loader.whole_pass()


def test_a_machine_that_has_loaded_itself_is_refused_and_the_store_left_as_it_was(
    shared: Machines,
) -> None:
    loaded_by(shared.loader(), 0, 1)
    kept = shared.keys()
    before = {key: shared.bucket.get(f"in/{key}") for key in kept}
    other = shared.loader()
    landed.land(other.landing, "track", landed.line(event(2)))
    other.take()  # the same name of the journal, other loads

    with pytest.raises(NotEmptyError, match="has to be empty"):
        other.bring_all()

    assert {key: shared.bucket.get(f"in/{key}") for key in kept} == before
    assert not (other.landing / "remote" / "bringing").exists()


def test_until_all_has_come_nothing_else_is_exchanged_and_it_goes_on(
    shared: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded_by(shared.loader(), 0, 1)
    journal = shared.bucket.get("in/loads/000000000001.ndjson")
    new = shared.loader()

    with monkeypatch.context() as dying:
        dying.setattr(everything, "_let_wait", _die)
        with pytest.raises(KeyboardInterrupt):
            new.bring_all()
    (new.landing / "loads" / "000000000001.ndjson").unlink()  # as if that had not come

    with pytest.raises(HalfBroughtError, match="fetch --all"):
        load_once(new.settings)
    assert shared.bucket.get("in/loads/000000000001.ndjson") == journal

    new.bring_all()
    assert new.restored() == 2
    new.whole_pass()
    assert new.messages() == shared.once(range(2))


def test_the_old_loader_removes_and_journals_nothing_once_it_was_taken_over(
    shared: Machines,
) -> None:
    old, receiver = shared.loader(), shared.receiver()
    loaded_by(old, 0)
    receiver.land(1)
    receiver.ship()
    old.exchange()
    old.take()
    waiting, journal = shared.keys("waiting"), shared.bucket.get("in/loads/000000000001.ndjson")

    with exchange(old.settings) as ex:  # and in the midst of that
        assert ex is not None
        shared.loader().bring_all()
        with pytest.raises(AnothersStoreError):
            settle(ex)
        with pytest.raises(AnothersStoreError):
            replicate(ex)

    assert shared.keys("waiting") == waiting
    assert shared.bucket.get("in/loads/000000000001.ndjson") == journal


def test_what_the_old_loader_was_just_keeping_comes_too(
    shared: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded_by(shared.loader(), 0)
    bring = everything._bring  # noqa: SLF001 - in the midst of it
    line = landed.line(event(1))

    def keep_meanwhile(ex: Exchange, one: Listed) -> str | None:
        ex.store.put(f"loaded/track/{NAMES[1]}", line)
        return bring(ex, one)

    monkeypatch.setattr(everything, "_bring", keep_meanwhile)
    new = shared.loader()

    assert new.bring_all().waiting == 1
    assert (new.landing / "track" / NAMES[1]).read_bytes() == line


def _die(*_: object) -> int:
    raise KeyboardInterrupt
