"""An object for which there is no room keeps no other from coming."""

import errno
import shutil
from collections import namedtuple

import pytest

from landed.object_store import Listed, Store
from orchestration.remote import fetch
from tests.remote.machines import Loader, Machines, Receiver

pytestmark = pytest.mark.timeout(600)

LARGE = "waiting/alias/20260101T000000-large.ndjson"
Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil has it


@pytest.fixture
def receiver(shared: Machines) -> Receiver:
    """One that has shipped an event, behind a large object that somebody else has put."""
    Store(shared.address).put(LARGE, b"x" * 20_000)
    receiver = shared.receiver()
    receiver.land(1)
    receiver.ship()
    return receiver


@pytest.fixture
def loader(shared: Machines, receiver: Receiver) -> Loader:
    """The machine that loads."""
    assert receiver.left() == []
    return shared.loader()


def assert_the_event_is_there_alone(loader: Loader, shared: Machines) -> None:
    assert [path.name for path in (loader.landing / "alias").glob("*")] == []
    assert loader.messages() == shared.once(range(1, 2))
    assert shared.keys("waiting") == [LARGE]


def test_one_larger_than_any_landed_file_is_named_once_and_stays_in_the_store(
    loader: Loader,
    shared: Machines,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(fetch, "MOST_BYTES", 10_000)

    for _ in range(2):
        loader.whole_pass()

    assert_the_event_is_there_alone(loader, shared)
    assert caplog.text.count("20,000 bytes") == 1


def test_so_does_one_that_is_larger_than_what_is_free_of_the_disk(
    loader: Loader, shared: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "LEAST_FREE", 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100_000, 90_000, 10_000))

    loader.whole_pass()

    assert_the_event_is_there_alone(loader, shared)


def test_on_a_disk_that_is_full_all_wait_and_none_is_called_useless(
    loader: Loader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda _: Usage(100_000, 100_000, 0))
        loader.exchange()
        assert list(loader.landing.glob("*/*.ndjson")) == []
        assert caplog.text == ""

    loader.exchange()
    assert len(list(loader.landing.glob("*/*.ndjson"))) == 2


def test_one_that_fills_the_disk_takes_from_those_beside_it_nothing(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_here = fetch.copy_here

    def full(ex: object, key: str, *more: object, **named: object) -> object:
        if key == LARGE:
            raise OSError(errno.ENOSPC, "No space left on device")
        return copy_here(ex, key, *more, **named)

    monkeypatch.setattr(fetch, "copy_here", full)

    with pytest.raises(OSError, match="No space left"):
        loader.exchange()

    assert len(list((loader.landing / "track").glob("*.ndjson"))) == 1


def test_of_one_that_has_grown_since_it_was_listed_no_more_is_written(
    loader: Loader, shared: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_objects = Store.list

    def as_before(store: Store, folder: str) -> object:
        for one in list_objects(store, folder):
            yield Listed(one.key, 1_000 if one.key == LARGE else one.size, one.changed)

    monkeypatch.setattr(Store, "list", as_before)

    loader.whole_pass()

    assert_the_event_is_there_alone(loader, shared)


def test_of_useless_ones_so_many_are_remembered(
    loader: Loader, shared: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        Store(shared.address).put(f"waiting/junk-{number}", b"x")
    monkeypatch.setattr(fetch, "MOST_USELESS", 5)

    loader.exchange()

    assert len(fetch._useless) <= 5  # noqa: SLF001 - what would grow
