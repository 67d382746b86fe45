"""F11: a load that is killed leaves each file loaded whole or waiting, and the next takes them."""

import random
import time

import pytest

from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse import writer_lock
from tests.support.faults.killed_loads import (
    Child,
    Sent,
    forms,
    in_ledger,
    ledger_faults,
    sleep_at_random,
)
from tests.support.faults.load_children import load_and_tell
from tests.support.faults.report import Report

FILES = 4
ONE_EACH = 1
"""SEAMLINE_LOAD_BYTES: a transaction for every file, so that kills meet many of them."""


@forms(short=1, long=100, minutes=30)
def test_killed_at_any_moment_each_file_is_loaded_whole_or_waits(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    report: Report,
    chance: random.Random,
    kills: int,
) -> None:
    monkeypatch.setenv("SEAMLINE_LOAD_BYTES", str(ONE_EACH))
    settings = Settings()
    sent = Sent(settings)
    load(settings)
    sent.land(FILES)
    started = time.monotonic()
    load(settings)
    seconds_each = (time.monotonic() - started) / FILES
    half_way = 0
    for kill in range(kills):
        sent.land(FILES)
        before = in_ledger(settings)
        child = Child(load_and_tell, settings)
        for _ in range(1 + kill % (FILES - 2)):
            child.told()
            child.pipe.send("go on")
        sleep_at_random(chance, seconds_each)  # it waits once the next file is loaded
        child.kill()

        assert not writer_lock.is_held(settings)
        assert ledger_faults(settings) == {}
        half_way += 0 < len(in_ledger(settings) - before) < len(set(sent.files) - before)
    load(settings)

    assert sent.missing() == {}
    assert half_way == kills
    report.add(
        "F11",
        "kill -9 of the load",
        kills=kills,
        of_these_with_files_loaded_and_files_waiting=half_way,
        files=len(sent.files),
        not_loaded_exactly_once=0,
    )
