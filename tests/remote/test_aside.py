"""Counts, and who is suppressed: each comes by itself, and once."""

from pathlib import Path

import pytest

from landed.object_store import Store, StoreError
from orchestration.loading import suppressed
from orchestration.loading.people import USER, Id
from receiver.shipping.process import Shipping
from tests.remote.machines import Machines, Receiver


def test_counts_are_brought_once_by_whatever_process(
    shared: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = shared.loader()
    key = "not_stored/web-1/2026-11-28.json"
    Store(shared.address).put(key, b"{}")
    monkeypatch.setattr("orchestration.remote.counts.RESTING_SECONDS", -60.0)
    loader.exchange()
    read: list[str] = []
    monkeypatch.setattr(Store, "read", lambda _, key: read.append(key) or b"{}")

    loader.exchange()
    assert read == []

    (loader.landing / key).unlink()
    loader.exchange()
    assert read == [key]


def test_counts_that_are_too_large_to_be_some_stay_in_the_store(
    shared: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.remote.counts.MOST_BYTES", 10)
    keys = [f"not_stored/web-{number}/2026-11-28.json" for number in (1, 2)]
    for key, data in zip(keys, (b" " * 11, b"{}"), strict=True):
        Store(shared.address).put(key, data)
    loader = shared.loader()

    loader.exchange()

    assert [(loader.landing / key).exists() for key in keys] == [False, True]


def test_who_is_suppressed_is_brought_though_counts_do_not_go(shared: Machines) -> None:
    loader, receiver = shared.loader(), shared.receiver()
    suppressed.begin(loader.landing, {Id(USER, "somebody")}, suppressed=True)
    loader.exchange()
    counted(receiver).write_bytes(b"{}")

    def refuse(path: str) -> None:
        raise OSError(f"{path} is refused")

    shared.bucket.before_put = refuse
    with pytest.raises(StoreError, match="not_stored"):
        Shipping(receiver.landing, Store(shared.address)).run(once=True)

    assert (receiver.landing / "suppressed").exists()


def counted(receiver: Receiver) -> Path:
    """The counts of a day."""
    folder = receiver.landing / "not_stored"
    folder.mkdir()
    return folder / "2026-11-28.json"
