"""An object counts as put once its bytes are proved: its metadata is what we said ourselves."""

import hashlib
from collections.abc import Callable

import pytest

from landed.object_store import DamagedObjectError, Store, StoreError, TakenError
from tests.remote.machines import Receiver
from tests.support.memory_store import MemoryBucket

KEY = "waiting/track/a.ndjson"
DATA = b'{"a":1}\n'
SHA256 = hashlib.sha256(DATA).hexdigest()


def damaged(memory: MemoryBucket, data: bytes) -> Callable[[], bytes]:
    """Have an object that says it is what was put, and is not; give what reads it."""
    memory.put(f"in/{KEY}", data, Metadata={"sha256": SHA256})
    return lambda: memory.get(f"in/{KEY}")


@pytest.mark.parametrize("data", [b'{"b":1}\n', DATA[:-1]])
@pytest.mark.parametrize("store", ["gs", "az"])
def test_what_arrived_damaged_is_put_again(memory: MemoryBucket, store: str, data: bytes) -> None:
    read = damaged(memory, data)

    Store(f"{store}://memory/in").put_new(KEY, DATA)

    assert read() == DATA


def test_of_a_store_that_checks_itself_the_size_is_compared(memory: MemoryBucket) -> None:
    read = damaged(memory, DATA[:-1])

    Store("s3://memory/in").put_new(KEY, DATA)

    assert read() == DATA


@pytest.mark.parametrize("is_proved", [True, False])
def test_what_a_store_damages_as_it_takes_it_is_put_again_at_once(
    memory: MemoryBucket, is_proved: bool
) -> None:
    memory.damage = 1

    Store("gs://memory/in").put_new(KEY, DATA, is_proved=is_proved)

    assert memory.get(f"in/{KEY}") == DATA


def test_a_store_that_damages_everything_is_said_and_the_file_stays(
    memory: MemoryBucket, tmp_path_factory: pytest.TempPathFactory
) -> None:
    receiver = Receiver(tmp_path_factory.mktemp("receiver"), "gs://memory/in")
    receiver.land(1)
    memory.damage = 10**6

    for _ in range(2):
        with pytest.raises(DamagedObjectError):
            receiver.ship()
    assert len(receiver.left()) == 1

    memory.damage = 0
    assert receiver.ship() == 1
    assert receiver.left() == []


def test_what_the_loader_has_written_anew_is_left_as_it_is(memory: MemoryBucket) -> None:
    for store in (Store("gs://memory/in"), Store("s3://memory/in")):
        store.put(KEY, b"\n", was=SHA256)
        store.put_new(KEY, DATA)
        assert memory.get(f"in/{KEY}") == b"\n"


def test_other_contents_are_not_put_over(memory: MemoryBucket) -> None:
    store = Store("gs://memory/in")
    store.put(KEY, b"other")

    with pytest.raises(TakenError):
        store.put_new(KEY, DATA)
    assert memory.get(f"in/{KEY}") == b"other"


@pytest.mark.usefixtures("memory")
def test_what_goes_between_two_requests_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store("gs://memory/in")
    store.put(KEY, DATA)
    monkeypatch.setattr(store, "look", lambda _: None)

    with pytest.raises(StoreError) as said:
        store.put_new(KEY, DATA)
    assert not isinstance(said.value, TakenError)
