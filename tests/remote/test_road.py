"""The whole road: landed on machines that receive, shipped, fetched, loaded, kept in the store."""

import hashlib

import pytest

from landed.object_store import Store, StoreError
from orchestration.audit.status import status
from orchestration.remote.exchange import AnothersStoreError
from tests.remote.machines import Loader, Machines, Receiver
from tests.support import landed
from tests.support.object_store import FailingStore

pytestmark = pytest.mark.scale


def test_what_many_machines_receive_is_in_the_warehouse_once(
    machines: Machines, loader: Loader
) -> None:
    receivers = [machines.receiver() for _ in range(3)]
    for number, receiver in enumerate(receivers):
        receiver.land(2 * number, 2 * number + 1)
        assert receiver.ship() == 1
        assert receiver.left() == []

    loaded = loader.whole_pass()

    assert (loaded.files, loaded.rows["track"]) == (3, 6)
    assert loader.messages() == machines.once(range(6))
    assert loader.problems() == []
    assert machines.keys("waiting") == []
    assert len(machines.keys("loaded/track")) == 3


def test_the_store_has_the_same_folders_and_bytes_as_the_loader(
    machines: Machines, receiver: Receiver, loader: Loader
) -> None:
    receiver.land(1)
    receiver.ship()
    loader.land("track", landed.line({"messageId": "own"}))  # of a receiver on its own machine
    loader.whole_pass()

    here = {
        str(path.relative_to(loader.landing)): path.read_bytes()
        for folder in ("loaded", "loads")
        for path in (loader.landing / folder).rglob("*.ndjson")
    }
    there = {key: machines.in_store(key) for key in machines.keys("loa") if "/" in key}
    assert len(here) == 3
    assert there.keys() == here.keys()
    assert Store(machines.address).read(min(here)) == here[min(here)]


def test_a_file_that_is_there_already_is_done_and_another_of_its_name_is_put_aside(
    machines: Machines, receiver: Receiver, loader: Loader
) -> None:
    path = receiver.land(1)
    data = path.read_bytes()
    receiver.ship()
    path.write_bytes(data)  # who shipped it died before it went
    assert receiver.ship() == 1
    assert receiver.left() == []

    path.write_bytes(landed.line({"messageId": "other"}))
    assert receiver.ship() == 0
    assert [one.suffix for one in path.parent.iterdir()] == [".conflict"]
    loader.whole_pass()
    assert loader.messages() == machines.once(range(1, 2))


def test_a_file_that_is_shipped_once_more_after_it_was_loaded_is_removed(
    machines: Machines, receiver: Receiver, loader: Loader
) -> None:
    path = receiver.land(1)
    data = path.read_bytes()
    receiver.ship()
    loader.whole_pass()
    path.write_bytes(data)
    receiver.ship()
    assert len(machines.keys("waiting")) == 1

    loaded = loader.whole_pass()

    assert (loaded.files, loaded.conflicts) == (0, [])
    assert machines.keys("waiting") == []
    assert loader.messages() == machines.once(range(1, 2))


def test_a_name_with_other_contents_than_were_loaded_is_put_aside_as_here(
    machines: Machines, receiver: Receiver, loader: Loader
) -> None:
    path = receiver.land(1)
    receiver.ship()
    loader.whole_pass()
    path.write_bytes(landed.line({"messageId": "other"}))
    receiver.ship()

    loaded = loader.whole_pass()

    assert loaded.conflicts == [path.name]
    assert loader.messages() == machines.once(range(1, 2))
    assert machines.keys("waiting") == []
    assert machines.keys("conflicts") == [f"conflicts/track/{path.name}"]
    assert (loader.landing / "track" / f"{path.name}.conflict").exists()


def test_what_is_no_landed_file_or_damaged_is_in_nobodys_way(
    machines: Machines, receiver: Receiver, loader: Loader, caplog: pytest.LogCaptureFixture
) -> None:
    prefix = machines.address.partition(f"{machines.bucket.name}/")[2]
    for key in ("waiting/x/x.ndjson", "waiting/notes.txt", "waiting/track/.a.ndjson"):
        machines.bucket.put(f"{prefix}/{key}", b"x")
    machines.bucket.put(f"{prefix}/waiting/track/20260101T000000-a.ndjson", b"x")
    machines.bucket.put(
        f"{prefix}/waiting/track/20260101T000000-b.ndjson", b"x", Metadata={"sha256": "0" * 64}
    )
    receiver.land(1)
    receiver.ship()

    loader.whole_pass()
    said = len(caplog.records)
    loader.whole_pass()

    assert loader.messages() == machines.once(range(1, 2))
    assert len(machines.keys("waiting")) == 5
    assert "has no checksum of ours" in caplog.text
    assert "is not what was put" in caplog.text
    assert len(caplog.records) == said


def test_an_object_that_may_not_be_read_is_in_nobodys_way(
    machines: Machines, receiver: Receiver, loader: Loader, failing: FailingStore
) -> None:
    hidden = receiver.land(0)
    receiver.land(1)
    receiver.ship()
    failing.fault = lambda method, path: (
        "403" if method == "GET" and path.endswith(hidden.name) else ""
    )

    loader.whole_pass()

    assert loader.messages() == machines.once(range(1, 2))
    assert machines.keys("waiting") == [f"waiting/track/{hidden.name}"]


def test_what_waits_in_the_store_is_said(
    machines: Machines, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.remote.fetch.MOST_FILES", 2)
    receiver = machines.receiver()
    for number in range(5):
        receiver.land(number)
    receiver.ship()

    assert loader.exchange() == 2
    found = status(loader.settings)
    assert found.waiting == {"track": 2}
    assert found.waiting_remotely == 3
    assert f"Files that wait in {machines.address}: 3" in found.lines()
    for _ in range(3):
        loader.whole_pass()
    assert status(loader.settings).waiting_remotely == 0
    assert loader.messages() == machines.once(range(5))


def test_another_loader_is_refused(machines: Machines, receiver: Receiver, loader: Loader) -> None:
    receiver.land(1)
    receiver.ship()
    loader.exchange()

    with pytest.raises(AnothersStoreError, match="fetch --all"):
        machines.loader().exchange()


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_said_in_a_line() -> None:
    with pytest.raises(StoreError) as said:
        Store("s3://no-such-bucket/x").check()
    assert said.value.is_lasting
    assert said.value.message == (
        "SEAMLINE_LANDING_REMOTE: s3://no-such-bucket/x cannot be used: there is no such bucket"
    )


def test_a_large_file_goes_and_comes_in_parts(
    machines: Machines, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landed.object_store.LARGE", 1 << 20)
    monkeypatch.setattr("landed.object_store._PART", 3 << 20)
    store = Store(machines.address)
    path = loader.folder / "large"
    data = bytes(range(256)) * (7 << 12)
    path.write_bytes(data)

    with path.open("rb") as file:
        store.put("archive/track/x.tar.zst", file)

    assert store.read("archive/track/x.tar.zst") == data


def test_what_the_loader_has_taken_lines_out_of_is_no_other_file_to_who_ships_it_again(
    machines: Machines, receiver: Receiver
) -> None:
    path = receiver.land(1)
    data = path.read_bytes()
    receiver.ship()
    store = Store(machines.address)
    key = f"waiting/track/{path.name}"
    store.put(key, b"\n", was=hashlib.sha256(data).hexdigest())
    path.write_bytes(data)

    assert receiver.ship() == 1
    assert list(path.parent.iterdir()) == []
    assert store.read(key) == b"\n"


def test_what_is_there_for_long_is_put_a_part_at_a_time(
    machines: Machines, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        loader.land("track", landed.line({"messageId": f"m{number}"}))
    loader.take()
    with monkeypatch.context() as hurried:
        hurried.setattr("orchestration.remote.process.REPLICA_SECONDS", -1)
        loader.exchange()
    assert machines.keys("loaded") == []
    loader.exchange()
    assert len(machines.keys("loaded")) == 3
