"""An erasure says what it could not reach in the store."""

from datetime import UTC, datetime

import pytest

from landed.object_store import Store, StoreError
from orchestration.erasure import erase
from orchestration.erasure.erase import Erased
from orchestration.loading.people import USER, Id
from orchestration.remote import fetch
from orchestration.remote.process import bring_all_that_waits, finish
from orchestration.upkeep import short_locks
from orchestration.upkeep.archives import REST, pack_loaded_files
from tests.remote.machines import Loader, Machines, event
from tests.support import landed

WHO = {Id(USER, "gone-81d2")}
LINE = landed.line(event(1, userId="gone-81d2"))
NAME = "20261122T052446000000Z-a.ndjson"
KEY = f"waiting/track/{NAME}"


@pytest.fixture
def loader(shared: Machines, monkeypatch: pytest.MonkeyPatch) -> Loader:
    """The machine that loads, and does not wait long for open files."""
    monkeypatch.setattr(short_locks, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(erase, "SEEN_SECONDS", 0)
    return shared.loader(seal_seconds=0.3)


def said(done: Erased) -> str:
    """What it says of the store, if it says anything."""
    return "\n".join(line for line in done.report() if "object store" in line)


def out_of_reach(loader: Loader) -> list[str]:
    """What an erasure is told of the store: before it looks at what is here, and at its end."""
    return bring_all_that_waits(loader.settings) + finish(loader.settings, lists_store=True)


def test_of_an_object_without_our_checksum(shared: Machines, loader: Loader) -> None:
    shared.bucket.put(f"in/{KEY}", LINE)
    loader.exchange()

    for _ in range(2):  # also once nobody reads it again
        assert out_of_reach(loader) == [KEY]

    shared.bucket.delete(f"in/{KEY}")
    assert out_of_reach(loader) == []


def test_of_one_that_is_too_large(
    shared: Machines, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(shared.address).put(KEY, LINE)
    monkeypatch.setattr(fetch, "MOST_BYTES", 10)

    assert out_of_reach(loader) == [KEY]


def test_of_one_that_is_not_given(
    shared: Machines, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(shared.address).put(KEY, LINE)

    def refuse(_: Store, key: str, __: object) -> str:
        raise StoreError(f"{key} may not be read", is_lasting=True)

    monkeypatch.setattr(Store, "get", refuse)

    assert out_of_reach(loader) == [KEY]


def test_of_one_that_is_called_like_no_landed_file(shared: Machines, loader: Loader) -> None:
    Store(shared.address).put("waiting/notes.txt", LINE)

    assert out_of_reach(loader) == ["waiting/notes.txt"]


def test_of_many_it_names_some(shared: Machines, loader: Loader) -> None:
    for number in range(erase.MOST_NAMED + 2):
        Store(shared.address).put(f"waiting/notes-{number}", b"x")

    assert "and 2 more in the object store" in said(erase.forget(loader.settings, WHO))


@pytest.mark.parametrize("is_packed", [False, True])
def test_of_what_was_loaded_and_is_lost_here(
    shared: Machines, loader: Loader, is_packed: bool
) -> None:
    receiver = shared.receiver()
    landed.land(receiver.landing, "track", LINE, name=NAME)
    receiver.ship()
    loader.whole_pass()
    if is_packed:
        pack_loaded_files(loader.settings, datetime(2026, 11, 22, 6, 30, tzinfo=UTC) + REST)
        loader.exchange()
    kept = "archive" if is_packed else "loaded"
    (key,) = shared.keys(f"{kept}/track")
    (loader.landing / key).unlink()

    assert key in said(erase.forget(loader.settings, WHO))
    assert shared.keys(f"{kept}/track") == [key]


def test_what_is_as_it_should_be_is_not_named(shared: Machines, loader: Loader) -> None:
    receiver = shared.receiver()
    landed.land(receiver.landing, "track", LINE, name=NAME)
    receiver.ship()
    loader.whole_pass()

    assert said(erase.forget(loader.settings, WHO)) == ""
