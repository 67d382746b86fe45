"""An erasure that dies anywhere leaves what the next one completes; nothing is lost or doubled."""

import random
import signal
import time

import pytest

from orchestration.erasure import (
    erase,
    erased_fields,
    loaded_files,
    purge,
    raw_rows,
    record,
    unloaded_files,
)
from orchestration.loading import journal, suppressed
from orchestration.loading.load import load
from tests.support.house import House
from tests.support.person import ALICE, ALICE_DEVICE, NUMBER, WHO, found_in_house

IDS = (ALICE, ALICE_DEVICE, str(NUMBER))
TRACK_ROWS = [("bob",), ("carl",), ("dora",), ("erna-90e1",)]

OPTIONS = [
    *(f"--user-id={one.text}" for one in WHO if one.kind == "user"),
    *(f"--anonymous-id={one.text}" for one in WHO if one.kind == "anonymous"),
]


class DiedError(Exception):
    """Stands for the death of the process."""


def die(*_: object, **__: object) -> None:
    raise DiedError


def is_as_if_it_had_not_died(house: House) -> None:
    assert found_in_house(house, *IDS) == []
    assert house.problems() == []
    users = house.rows("select distinct user_id from segment.track order by all")
    assert users == TRACK_ROWS
    assert suppressed.to_be_done(house.landing) == []


STEPS: dict[str, tuple[object, str]] = {
    "before any file is changed": (unloaded_files, "blank_staged"),
    "when the waiting files are changed": (loaded_files, "blank_loaded"),
    "when all files are changed": (journal, "replace_checksums"),
    "when the journal is changed": (raw_rows, "erase_rows"),
    "in the transaction": (raw_rows, "_update_counts"),
    "after the transaction": (erased_fields, "export_fields"),
    "when snapshots are expired": (purge, "_remove_orphans"),
    "before it is noted as done": (record, "finish"),
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "step",
    [
        step
        if step == "when all files are changed"
        else pytest.param(step, marks=pytest.mark.chaos)
        for step in STEPS
    ],
)
def test_whoever_comes_next_completes_it_though_nobody_says_the_id(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(*STEPS[step], die)
        with pytest.raises(DiedError):
            erase.forget(house.settings, WHO)

    load(house.settings)
    house.models("track")
    erase.forget_notified(house.settings)

    is_as_if_it_had_not_died(house)


def killed_erasures(house: House, times: int, seed: int) -> list[float]:
    """Begin an erasure so many times, and kill it each time; return after how many seconds."""
    chosen = random.Random(seed)  # noqa: S311 - to be tried again with the same
    began = time.monotonic()
    house.run("forget", "--user-id=nobody")
    whole = time.monotonic() - began
    seconds = []
    for _ in range(times):
        seconds.append(chosen.uniform(0.2, 1.0) * whole)
        process = house.command("forget", *OPTIONS)
        deadline = time.monotonic() + seconds[-1]
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    return seconds


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("times", "seed"),
    [
        pytest.param(2, 7, marks=pytest.mark.long),
        *(pytest.param(10, seed, marks=pytest.mark.chaos) for seed in range(10)),
    ],
)
def test_killed_at_random_points_it_is_completed_by_the_next(
    house: House, times: int, seed: int
) -> None:
    after = killed_erasures(house, times, seed)

    house.run("forget", *OPTIONS)

    load(house.settings)
    house.models()
    assert found_in_house(house, *IDS) == [], after
    is_as_if_it_had_not_died(house)
