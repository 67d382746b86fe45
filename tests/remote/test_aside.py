"""Counts, and who is suppressed: each comes by itself, and once."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from landed.object_store import Store, StoreError
from orchestration.audit import checks
from orchestration.loading import suppressed
from orchestration.loading.people import USER, Id
from orchestration.warehouse.connection import connect
from receiver.shipping.process import Shipping
from tests.remote.machines import Loader, Machines, Receiver


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


def test_counts_that_are_too_large_to_be_some_stay_in_the_store_and_are_named(
    shared: Machines, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("orchestration.remote.counts.MOST_BYTES", 10)
    keys = [f"not_stored/web-{number}/2026-11-28.json" for number in (1, 2)]
    for key, data in zip(keys, (b" " * 11, b"{}"), strict=True):
        Store(shared.address).put(key, data)
    loader = shared.loader()

    for _ in range(2):
        loader.exchange()

    assert [(loader.landing / key).exists() for key in keys] == [False, True]
    assert caplog.text.count(keys[0]) == 1
    (problem,) = problems(loader)
    assert f"left out: {keys[0]}. " in problem

    Store(shared.address).put(keys[0], b"{}")
    loader.exchange()
    assert problems(loader) == []


def problems(loader: Loader) -> list[str]:
    """What is wrong with the store."""
    with connect(loader.settings, read_only=True) as con:
        return checks.store_is_asked(
            checks.look_at(con, loader.settings, datetime.now(UTC))
        ).problems


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
