"""An import that dies goes on where it was; each event is in the raw tables once.

Not in the final tables alone, where copies are one row in any case.
"""

import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from landed.folders import CALLS
from landed.settings import ROOT
from orchestration.settings import Settings
from receiver.importing.errors import FileError
from receiver.importing.journal import Place
from tests.support.importing import (
    command,
    environment,
    events,
    loaded_ids,
    parsed,
    run_import,
    run_process,
    tree,
    write,
)

SMALL_CHUNKS = "import receiver.importing.one_file as one; one.CHUNK_BYTES = 20_000"

# Python in the importing process that kills it as the n-th call of a function of the disk's ends.
DIES_AT = """
import os, signal
import receiver.importing.{module} as module
calls, real = 0, module.{function}
def dying(*arguments, **more):
    global calls
    calls += 1
    real(*arguments, **more)
    if calls == {number}:
        os.kill(os.getpid(), signal.SIGKILL)
module.{function} = dying
"""
DIES_IN_RENAME = """
import os, pathlib, signal
calls, real = 0, pathlib.Path.rename
def dying(self, target):
    global calls
    calls += "/imports/" not in str(target)
    if calls == {number}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, target)
pathlib.Path.rename = dying
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files, packed and plain, of some ten chunks each."""
    for number, name in enumerate(("a.gz", "b.json", "c.ndjson.gz")):
        write(tmp_path / "in" / name, events(f"{number}", 250, size=800))
    return tmp_path / "in"


IDS = sorted(f"{number}-{n}" for number in range(3) for n in range(250))


def take(landing: Path) -> None:
    """Take what has landed away, as the loader does, at once and without a warehouse."""
    for path in landing.glob("[a-z]*/*-import-*.ndjson"):
        folder = landing / "loaded" / path.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        assert not (folder / path.name).exists()
        path.rename(folder / path.name)


def taken_ids(landing: Path) -> list[str]:
    """Take what has landed; return the ids of all that was taken so far, copies included."""
    take(landing)
    return sorted(one["message_id"] for one in parsed(landing / "loaded", *CALLS))


def killed_at(folder: Path, prelude: str) -> bool:
    result = run_process(folder, prelude=f"{SMALL_CHUNKS}\n{prelude}")
    assert result.returncode in (0, -signal.SIGKILL), result.stderr
    return result.returncode != 0


@pytest.mark.any_one
@pytest.mark.parametrize(
    "prelude",
    [
        DIES_AT.format(module="staging", function="write_new", number=20),
        DIES_AT.format(module="staging", function="sync_folder", number=4),
        DIES_AT.format(module="journal", function="write_new", number=1),
        DIES_AT.format(module="journal", function="write_new", number=7),
        DIES_AT.format(module="one_file", function="publish", number=2),
        DIES_IN_RENAME.format(number=1),
        DIES_IN_RENAME.format(number=100),
    ],
    ids=lambda prelude: prelude.strip().splitlines()[-1],
)
def test_killed_at_a_step_and_resumed_each_event_is_there_once(
    folder: Path, settings: Settings, prelude: str
) -> None:
    assert killed_at(folder, prelude)
    take(settings.landing)

    assert run_import(folder).returncode == 0

    assert taken_ids(settings.landing) == IDS
    assert [one for one in (settings.landing / "imports").iterdir() if one.is_dir()] == []


@pytest.mark.parametrize("damaged", [b"{", b'{"address":"\xff"}'])
def test_a_journal_that_is_damaged_is_a_reason_against_its_file_alone(
    tmp_path: Path, damaged: bytes
) -> None:
    (tmp_path / "key.json").write_bytes(damaged)

    with pytest.raises(FileError, match="journal that cannot be read"):
        Place(tmp_path, "key").journal()


def begin_import(path: Path) -> "subprocess.Popen[bytes]":
    """Start an import; return once it begins."""
    prelude = f"{SMALL_CHUNKS}\nprint('go', flush=True)"
    running = subprocess.Popen(
        command(path, prelude=prelude), cwd=ROOT, env=environment(), stdout=subprocess.PIPE
    )
    assert running.stdout
    assert running.stdout.readline() == b"go\n"
    return running


def seconds_of_an_import(path: Path) -> float:
    """How long one takes that nobody kills."""
    running = begin_import(path)
    started = time.monotonic()
    running.communicate(timeout=60)
    return time.monotonic() - started


def killed_again_and_again(
    folder: Path, settings: Settings, kills: int, rng: random.Random, seconds: float
) -> int:
    """Kill imports within so many seconds, and load in between; return how many died."""
    died = 0
    for _ in range(kills):
        running = begin_import(folder)
        time.sleep(rng.uniform(0, seconds))
        running.kill()
        running.communicate()
        died += running.returncode == -signal.SIGKILL
        if rng.random() < 0.3:
            loaded_ids(settings)
    return died


STEPS_OF_AN_IMPORT = 100
"""It takes more, if the ones before have done nothing."""
DIES_AT_STEP = """
import sys
from tests.support.faults.steps import Count
sys.setprofile(Count({step}))
"""


@pytest.mark.long
def test_killed_at_any_step_and_resumed_each_event_is_there_once(
    folder: Path, settings: Settings, chance: random.Random
) -> None:
    assert killed_at(folder, DIES_AT_STEP.format(step=chance.randrange(STEPS_OF_AN_IMPORT)))
    loaded_ids(settings)

    assert run_import(folder).returncode == 0

    assert loaded_ids(settings) == IDS


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_killed_100_times_each_event_is_there_once(folder: Path, settings: Settings) -> None:
    rng = random.Random(2)  # noqa: S311
    ids: list[str] = []
    died = 0
    seconds = seconds_of_an_import(folder) / 2
    for turn in range(20):
        write(folder / f"turn-{turn}.gz", events(f"turn-{turn}", 600, size=800))
        ids += [f"turn-{turn}-{n}" for n in range(600)]
        died += killed_again_and_again(folder, settings, 5, rng, seconds)
        assert run_import(folder).returncode == 0

    assert died >= 50
    assert Counter(loaded_ids(settings)) == Counter(IDS + ids)


def test_an_import_goes_on_behind_its_last_chunk(folder: Path, settings: Settings) -> None:
    path = folder / "b.json"
    assert killed_at(path, DIES_AT.format(module="journal", function="write_new", number=6))
    (staged,) = (settings.landing / "imports").glob("*/track-000003.ndjson")
    before = staged.stat()

    run_import(path)

    (landed,) = (settings.landing / "track").glob("*-000003.ndjson")
    assert (landed.stat().st_ino, landed.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_nothing_of_a_file_lands_before_all_of_it_is_read(folder: Path, settings: Settings) -> None:
    path = folder / "a.gz"
    assert killed_at(path, DIES_AT.format(module="journal", function="write_new", number=6))

    assert taken_ids(settings.landing) == []


def test_what_was_read_to_its_end_is_landed_by_any_later_import(
    folder: Path, settings: Settings, tmp_path: Path
) -> None:
    path = folder / "a.gz"
    assert killed_at(path, DIES_IN_RENAME.format(number=3))
    path.unlink()

    run_import(write(tmp_path / "other.json", []))

    assert taken_ids(settings.landing) == sorted(f"0-{n}" for n in range(250))


def test_what_was_begun_of_a_file_that_has_changed_since_is_removed(
    folder: Path, settings: Settings
) -> None:
    path = folder / "b.json"
    assert killed_at(path, DIES_AT.format(module="journal", function="write_new", number=6))
    write(path, events("new", 30))

    run_import(path)

    assert taken_ids(settings.landing) == sorted(f"new-{n}" for n in range(30))
    assert [path.name for path in (settings.landing / "imports").iterdir() if path.is_dir()] == []


def test_other_limits_in_between_part_no_chunk(folder: Path, settings: Settings) -> None:
    path = folder / "b.json"
    assert killed_at(path, DIES_AT.format(module="staging", function="sync_folder", number=4))

    assert run_import(path, event_bytes=500).returncode == 0

    landed = [name for name in tree(settings.landing) if not name.startswith("imports/")]
    assert {name.split("/")[0] for name in landed if "-000003" in name} == {"rejected"}
    accepted = taken_ids(settings.landing)
    assert len(accepted) == len(set(accepted)) < 250
