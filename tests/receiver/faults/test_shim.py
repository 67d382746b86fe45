"""The shim and the model of a power cut: what the fault tests stand on."""

import errno
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.faults.power_cut import cuts
from tests.support.faults.shim import FDATASYNC, RENAME, SWALLOW_FILES, WRITE, Shim

HELPERS = """
import os
landing = os.environ["FAULTS_ROOT"]
os.mkdir(landing)
def sync_folder(path):
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    os.close(folder)
def create(name):
    return os.open(f"{landing}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
"""


def run(program: str) -> str:
    """Run a program under the shim; return what it printed."""
    command = [sys.executable, "-c", HELPERS + program]
    return subprocess.run(command, check=True, capture_output=True, timeout=20).stdout.decode()


def left_after(shim: Shim, keep: float = 0.0, seed: int = 1) -> dict[str, bytes]:
    """Return what a power cut now would leave."""
    (left,) = cuts(shim, [time.monotonic()], seed, keep)
    return left


WRITTEN = "file = create('a'); os.write(file, b'12345')\n"
NAMES = "sync_folder(landing); sync_folder(os.path.dirname(landing))\n"


@pytest.mark.parametrize(
    ("program", "left"),
    [
        (WRITTEN + "os.fdatasync(file)\n" + NAMES, {"a": b"12345"}),
        (WRITTEN + NAMES, {"a": b""}),
        (WRITTEN + "os.fsync(file); os.write(file, b'678')\n" + NAMES, {"a": b"12345"}),
        (WRITTEN + "os.fdatasync(file)\n", {}),
        (WRITTEN + "os.fdatasync(file); sync_folder(landing)\n", {}),
        (WRITTEN + "os.fsync(file); os.ftruncate(file, 2)\n" + NAMES, {"a": b"12345"}),
        (WRITTEN + "os.ftruncate(file, 2); os.fsync(file)\n" + NAMES, {"a": b"12"}),
        (
            WRITTEN + "os.fsync(file)\n" + NAMES + "os.rename(f'{landing}/a', f'{landing}/b')\n",
            {"a": b"12345"},
        ),
        (
            WRITTEN + "os.fsync(file); os.rename(f'{landing}/a', f'{landing}/b')\n" + NAMES,
            {"b": b"12345"},
        ),
        (WRITTEN + "os.fsync(file)\n" + NAMES + "os.unlink(f'{landing}/a')\n", {"a": b"12345"}),
        (WRITTEN + "os.fsync(file); os.unlink(f'{landing}/a')\n" + NAMES, {}),
    ],
)
def test_what_was_not_synced_is_gone_after_a_power_cut(
    shim: Shim, program: str, left: dict[str, bytes]
) -> None:
    run(program)

    landing = Path(shim.environment["FAULTS_ROOT"])
    assert left_after(shim) == left
    # And if all of it is kept, it is what the program sees.
    seen = {path.name: path.read_bytes() for path in landing.iterdir()}
    assert left_after(shim, keep=1.0) == seen


def test_some_sectors_of_what_was_not_synced_may_be_there(shim: Shim) -> None:
    run("file = create('a'); os.write(file, b'x' * 51200)\n" + NAMES)

    found = {left_after(shim, keep=0.5, seed=seed)["a"] for seed in range(5)}

    assert len(found) == 5
    assert all(0 < content.count(b"x") < 51200 for content in found)
    assert all(set(content) <= {0, ord("x")} for content in found)


def test_a_write_whose_sync_failed_does_not_become_durable_by_another_sync(shim: Shim) -> None:
    shim.arm(errno.EIO, 1, FDATASYNC)
    program = "try: os.fdatasync(file)\nexcept OSError as error: print(error.errno)\n"

    printed = run(WRITTEN + program + "os.fdatasync(file)\n" + NAMES)

    assert int(printed) == errno.EIO
    assert shim.control.synced_again == 1
    assert left_after(shim) == {"a": b""}


def test_a_swallowed_sync_succeeds_and_keeps_nothing(shim: Shim) -> None:
    shim.control.swallow = SWALLOW_FILES

    run(WRITTEN + "os.fsync(file)\n" + NAMES)

    assert left_after(shim) == {"a": b""}


def test_exactly_the_operation_of_that_number_fails(shim: Shim) -> None:
    shim.arm(errno.ENOSPC, 3, WRITE | RENAME)
    program = "file = create('a')\nfor number in range(1, 6):\n"
    program += (
        "    try: os.write(file, b'x')\n    except OSError as error: print(number, error.errno)"
    )

    assert run(program).split() == ["3", str(errno.ENOSPC)]
    assert shim.disarm() == 1


def test_a_short_write_says_how_much_it_took(shim: Shim) -> None:
    shim.control.short_at = 1

    assert run("file = create('a'); print(os.write(file, b'x' * 10))").strip() == "5"


def test_the_wall_clock_is_moved_and_the_monotonic_one_is_not(shim: Shim) -> None:
    shim.control.clock_offset = random.choice([-86400, 86400])  # noqa: S311

    wall, monotonic = run("import time; print(time.time(), time.monotonic())").split()

    assert abs(float(wall) - time.time() - shim.control.clock_offset) < 10
    assert abs(float(monotonic) - time.monotonic()) < 10


def test_paths_elsewhere_are_left_alone(shim: Shim, tmp_path: Path) -> None:
    shim.arm(errno.EIO, 1, sticky=True)

    program = f"""
file = os.open({str(tmp_path / "other")!r}, os.O_WRONLY | os.O_CREAT)
print(os.write(file, b"x"))
os.fsync(file)
"""
    command = [sys.executable, "-c", "import os\n" + program]
    printed = subprocess.run(command, check=True, capture_output=True, env=os.environ, timeout=20)

    assert printed.stdout == b"1\n"
    assert shim.disarm() == 0
