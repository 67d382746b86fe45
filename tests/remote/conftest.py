"""Machines that receive, one that loads, and the store between them."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from landed.object_store import Store
from orchestration.erasure import erase
from orchestration.upkeep import short_locks
from tests.remote.machines import Loader, Machines, Receiver
from tests.support.memory_store import MemoryBucket
from tests.support.object_store import Bucket, FailingStore, ObjectStore, bucket, object_store

__all__ = ["bucket", "failing", "loader", "machines", "object_store", "receiver", "store"]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryBucket:
    """A bucket in this process, where every address leads."""
    return MemoryBucket(monkeypatch)


@pytest.fixture
def shared(memory: MemoryBucket, tmp_path: Path, raw_house: Path) -> Machines:
    """What makes machines that share that bucket: cheap, as nothing is started."""
    for name in [name for name in os.environ if name.startswith("SEAMLINE_")]:
        del os.environ[name]
    return Machines(memory, f"s3://{memory.name}/in", tmp_path, raw_house)


@pytest.fixture
def machines(bucket: Bucket, tmp_path: Path, raw_house: Path) -> Machines:
    """What makes machines that share a bucket."""
    for name in [name for name in os.environ if name.startswith("SEAMLINE_")]:
        del os.environ[name]
    return Machines(bucket, f"s3://{bucket.name}/in/{secrets.token_hex(2)}", tmp_path, raw_house)


@pytest.fixture
def store(machines: Machines) -> Store:
    """The store as all see it."""
    return Store(machines.address)


@pytest.fixture
def receiver(machines: Machines) -> Receiver:
    """A machine that receives."""
    return machines.receiver()


@pytest.fixture
def loader(machines: Machines) -> Loader:
    """The machine that loads."""
    return machines.loader()


@pytest.fixture
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure pauses neither between two locks nor until receivers have seen who goes."""
    monkeypatch.setattr(short_locks, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(erase, "SEEN_SECONDS", 0)


@pytest.fixture
def failing(
    machines: Machines, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FailingStore]:
    """The same store, behind one that fails as it is told; the environment leads there."""
    front = FailingStore(object_store.url)
    assert machines.keys() == []  # asked of the store itself
    monkeypatch.setenv("AWS_ENDPOINT_URL", front.url)
    yield front
    front.stop()
