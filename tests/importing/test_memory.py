"""An import takes as much memory for a large file as for a small one."""

import gzip
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from landed.settings import ROOT
from orchestration.settings import Settings
from receiver.importing.one_file import CHUNK_BYTES
from tests.support.importing import command, environment, event, parsed, run_import

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="other kernels do not say how much memory a process had"
)

KIBIBYTE = 1 << 10
MEBIBYTE = 1 << 20


def peak(path: Path, prelude: str = "") -> int:
    """Import a file in a process of its own; return the most memory it had, in bytes."""
    # not ru_maxrss: a child takes over what the process that started it had at that moment
    shows = (
        "import atexit, sys\n"
        "status = lambda: dict(line.split(':') for line in open('/proc/self/status'))\n"
        "atexit.register(lambda: print(status()['VmHWM'].split()[0]))\n"
    )
    done = subprocess.run(
        command(path, prelude=shows + prelude),
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=900, check=True,
    )  # fmt: skip
    return int(done.stdout.splitlines()[-1]) * KIBIBYTE


def write_stream(path: Path, size: int) -> int:
    """Write gzip of that many bytes of events, unpacked; return how many events."""
    number = 0
    with gzip.open(path, "wb", compresslevel=1) as file:
        while file.tell() < size:
            file.write(event(f"{path.stem}-{number}", properties={"text": "x" * 700}) + b"\n")
            number += 1
    return number


def write_bomb(path: Path, mebibytes: int, level: int) -> Path:
    """Write gzip of one line of that size; return where."""
    with gzip.open(path, "wb", compresslevel=level) as file:
        for _ in range(mebibytes):
            file.write(b"[" * MEBIBYTE)
    return path


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_a_stream_of_300_mb_takes_no_more_memory_than_one_of_40(
    settings: Settings, tmp_path: Path
) -> None:
    write_stream(tmp_path / "small.gz", 40 * MEBIBYTE)
    number = write_stream(tmp_path / "large.gz", 300 * MEBIBYTE)

    small, large = peak(tmp_path / "small.gz"), peak(tmp_path / "large.gz")

    assert large < small + 20 * MEBIBYTE
    assert large < 250 * MEBIBYTE
    (journal,) = [
        one
        for path in (settings.landing / "imports").glob("*.json")
        if (one := json.loads(path.read_bytes()))["address"].endswith("large.gz")
    ]
    assert journal["landed"] == {"track": number}


def test_a_line_that_is_too_big_is_never_whole_in_memory(
    settings: Settings, tmp_path: Path
) -> None:
    """There are pieces of it, and as many as are landed at once: 16 MiB, and their copies."""
    bomb = write_bomb(tmp_path / "bomb.gz", 64, level=1)

    tracemalloc.start()
    result = run_import(bomb, body_bytes="256KiB")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert result.returncode == 0, result.stderr
    assert most < 4 * CHUNK_BYTES
    assert {line["reason"] for line in parsed(settings.landing)} == {"too_big"}


@pytest.mark.long
def test_a_bomb_of_one_line_takes_as_much_memory_as_a_line_may(
    settings: Settings, tmp_path: Path
) -> None:
    bomb = write_bomb(tmp_path / "bomb.gz", 400, level=9)

    most = peak(bomb, "import os; os.environ['SEAMLINE_BODY_BYTES'] = '8MiB'")

    assert most < 400 * MEBIBYTE
    assert {line["reason"] for line in parsed(settings.landing)} == {"too_big"}
