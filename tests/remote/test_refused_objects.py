"""An object that the store does not take stops nothing of what has nothing to do with it."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from landed.object_store import Store, StoreError
from orchestration.remote import settle
from orchestration.remote.exchange import exchange
from orchestration.remote.fetch import AT_ONCE
from orchestration.remote.known import looked_at
from orchestration.remote.process import LOOK_SECONDS, bring_all_that_waits, finish, stay
from orchestration.remote.replica import replicate
from orchestration.upkeep.archives import REST, pack_loaded_files
from tests.remote.machines import Loader, Machines, Receiver
from tests.support import landed
from tests.support.memory_store import MemoryBucket

FILES = 3


@pytest.fixture
def machines(shared: Machines) -> Machines:
    """Those that share the bucket in this process."""
    return shared


def load_some(receiver: Receiver, loader: Loader, number: int = FILES) -> list[Path]:
    """Have files loaded of which the store knows nothing yet."""
    paths = sorted(receiver.land(one) for one in range(number))
    receiver.ship()
    loader.exchange()
    loader.take()
    return paths


def refuse(memory: MemoryBucket, is_refused: Callable[[str], bool]) -> None:
    """Have the store refuse some objects for good."""

    def answer(path: str) -> None:
        if is_refused(path):
            raise OSError(f"{path}: status code: 403")

    memory.before_put = answer


def test_all_others_are_settled_fetched_and_kept(
    shared: Machines, memory: MemoryBucket, receiver: Receiver, loader: Loader
) -> None:
    bad, *others = load_some(receiver, loader)
    refuse(memory, lambda path: path.endswith(f"loaded/track/{bad.name}"))
    new = receiver.land(FILES)
    receiver.ship()

    with pytest.raises(StoreError, match=bad.name):
        loader.exchange()

    assert shared.keys("loaded") == [f"loaded/track/{path.name}" for path in others]
    assert shared.keys("waiting") == [f"waiting/track/{path.name}" for path in (bad, new)]
    assert len(shared.keys("loads")) == 1
    assert loader.take().files == 1


def test_an_erasure_fetches_what_waits_and_says_it_at_the_end(
    memory: MemoryBucket, receiver: Receiver, loader: Loader
) -> None:
    bad = load_some(receiver, loader)[0]
    refuse(memory, lambda path: path.endswith(f"loaded/track/{bad.name}"))
    receiver.land(FILES)
    receiver.ship()

    bring_all_that_waits(loader.settings)

    assert loader.take().files == 1
    with pytest.raises(StoreError, match=bad.name):
        finish(loader.settings)


def test_what_cannot_be_put_aside_there_stops_nothing(
    shared: Machines, memory: MemoryBucket, receiver: Receiver, loader: Loader
) -> None:
    path = load_some(receiver, loader, 1)[0]
    loader.exchange()
    landed.land(receiver.landing, "track", landed.line({"messageId": "other"}), name=path.name)
    receiver.ship()
    loader.whole_pass()
    new = load_some(receiver, loader, 1)[0]
    aside = loader.landing / "track" / f"{path.name}.conflict"
    aside.write_bytes(aside.read_bytes() + b"\n")
    refuse(memory, lambda path: "/conflicts/" in path)

    with pytest.raises(StoreError, match="conflicts/track"):
        loader.exchange()

    assert f"loaded/track/{new.name}" in shared.keys("loaded")
    (journal, *_) = shared.keys("loads")
    assert new.name in str(shared.in_store(journal))


def test_of_a_store_that_takes_nothing_no_more_is_asked_than_a_few(
    memory: MemoryBucket, receiver: Receiver, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "TOGETHER", FILES)
    load_some(receiver, loader, 4 * FILES)
    refuse(memory, lambda _: True)
    asked = len(memory.asked)

    with exchange(loader.settings) as ex:
        assert ex is not None
        with pytest.raises(StoreError, match="403"):
            settle.settle(ex)

    assert len(memory.asked) - asked == FILES


def test_archives_wait_for_a_journal_that_is_not_taken(
    shared: Machines, memory: MemoryBucket, receiver: Receiver, loader: Loader
) -> None:
    load_some(receiver, loader, 1)
    pack_loaded_files(loader.settings, datetime(2026, 11, 22, 6, 30, tzinfo=UTC) + REST)
    refuse(memory, lambda path: "/loads/" in path)

    with exchange(loader.settings) as ex:
        assert ex is not None
        with pytest.raises(StoreError, match="loads/"):
            replicate(ex)

    assert shared.keys("archive") == []


def test_who_fetches_says_it_once_and_fetches_as_often_as_before(
    memory: MemoryBucket, receiver: Receiver, loader: Loader, caplog: pytest.LogCaptureFixture
) -> None:
    bad = load_some(receiver, loader)[0]
    refuse(memory, lambda path: path.endswith(bad.name))
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stay(loader.settings, sleep)

    assert slept == [LOOK_SECONDS] * 3
    assert caplog.text.count(f"{bad.name}: status code: 403") == 1


def test_what_waited_and_cannot_be_removed_is_a_problem(
    receiver: Receiver, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_some(receiver, loader)
    before = looked_at(loader.landing)

    def refuse_all(*_: object) -> None:
        raise StoreError("it may not be removed", is_lasting=True)

    monkeypatch.setattr(Store, "delete", refuse_all)
    receiver.land(FILES)
    receiver.ship()
    with pytest.raises(StoreError, match="may not be removed"):
        loader.exchange()

    now = looked_at(loader.landing)
    assert before is not None
    assert now is not None
    assert now.kept == before.kept
    assert loader.take().files == 1


def test_one_that_is_not_given_stops_none_behind_it(
    shared: Machines, receiver: Receiver, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, *others = sorted(receiver.land(number) for number in range(2 * AT_ONCE))
    receiver.ship()
    get = Store.get

    def run_out(store: Store, key: str, take: Callable[[object], object]) -> str:
        if key.endswith(bad.name):
            raise StoreError("operation timed out")
        return get(store, key, take)

    monkeypatch.setattr(Store, "get", run_out)
    with pytest.raises(StoreError, match="timed out"):
        loader.exchange()

    here = sorted(path.name for path in loader.landing.glob("track/*.ndjson"))
    assert here == [path.name for path in others]
    assert len(shared.keys("waiting")) == 2 * AT_ONCE


def test_one_that_came_again_and_cannot_be_removed_stops_none_behind_it(
    receiver: Receiver, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    again, new = sorted(receiver.land(number) for number in range(2))
    shipped = hashlib.sha256(again.read_bytes()).hexdigest()
    settle.remember_shipped(loader.landing, {f"track/{again.name}": shipped})
    receiver.ship()

    def refuse_all(*_: object) -> None:
        raise StoreError("it may not be removed", is_lasting=True)

    monkeypatch.setattr(Store, "delete", refuse_all)

    assert loader.exchange() == 1
    assert [path.name for path in loader.landing.glob("track/*.ndjson")] == [new.name]


def test_counts_that_are_not_given_stop_no_others(
    shared: Machines, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"not_stored/web-{number}/2026-11-28.json" for number in (1, 2)]
    for key in keys:
        Store(shared.address).put(key, b"{}")
    read = Store.read

    def refuse_one(store: Store, key: str) -> bytes:
        if key == keys[0]:
            raise StoreError("it may not be read", is_lasting=True)
        return read(store, key)

    monkeypatch.setattr(Store, "read", refuse_one)
    with pytest.raises(StoreError, match="may not be read"):
        loader.exchange()

    assert [(loader.landing / key).exists() for key in keys] == [False, True]
