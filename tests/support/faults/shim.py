"""The preloaded shim of tests/support/faults/shim.c: a disk and a clock that fail on demand."""

import ctypes
import mmap
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "shim.c"

OPEN, WRITE, FSYNC, FDATASYNC, RENAME, FTRUNCATE, UNLINK, MKDIR = (1 << n for n in range(8))
ALL_KINDS = 255
BEFORE_SYNC, AFTER_SYNC, HALF_WRITTEN = 1, 2, 3
SWALLOW_FILES, SWALLOW_FOLDERS = 1, 2


class Control(ctypes.Structure):
    """What the shim does, shared with every process it is loaded into. All zero: nothing."""

    _fields_ = (
        ("kinds", ctypes.c_int64),
        ("count", ctypes.c_int64),
        ("fail_at", ctypes.c_int64),
        ("sticky", ctypes.c_int64),
        ("error", ctypes.c_int64),
        ("injected", ctypes.c_int64),
        ("writes", ctypes.c_int64),
        ("short_at", ctypes.c_int64),
        ("sync_delay_ms", ctypes.c_int64),
        ("swallow", ctypes.c_int64),
        ("die", ctypes.c_int64),
        ("synced_again", ctypes.c_int64),
        ("clock_offset", ctypes.c_int64),
    )


class Shim:
    """One shim, for the receivers of one test."""

    def __init__(self, library: Path, folder: Path, disk: str = "landing") -> None:
        """Prepare its files in a folder; one of that name below it is the disk that fails."""
        self.folder = folder
        self.journal = folder / "faults.journal"
        path = folder / "faults.control"
        path.write_bytes(bytes(mmap.PAGESIZE))
        with path.open("r+b") as file:
            self.control = Control.from_buffer(mmap.mmap(file.fileno(), mmap.PAGESIZE))
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAULTS_ROOT": str(folder / disk),
            "FAULTS_CONTROL": str(path),
            "FAULTS_JOURNAL": str(self.journal),
        }

    def arm(self, error: int, at: int, kinds: int = ALL_KINDS, *, sticky: bool = False) -> None:
        """Make the operation of that number, counted from now, fail; or all from there on."""
        self.control.kinds = 0
        self.control.count, self.control.injected = 0, 0
        self.control.error, self.control.fail_at, self.control.sticky = error, at, sticky
        self.control.kinds = kinds

    def disarm(self) -> int:
        """Let everything work again; return how many operations failed."""
        self.control.kinds = 0
        return int(self.control.injected)

    @contextmanager
    def failing(self, error: int, kinds: int = ALL_KINDS) -> Iterator[None]:
        """Make every operation of some kinds fail for a while."""
        self.arm(error, 1, kinds, sticky=True)
        yield
        self.disarm()


@pytest.fixture(scope="session")
def shim_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shim, compiled for this machine."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("NO C COMPILER (cc): power cuts and I/O errors were not injected")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    command = [compiler, "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
    subprocess.run([*command, "-o", library, SOURCE, "-ldl"], check=True, timeout=60)
    return library


@pytest.fixture(scope="module")
def module_shim(shim_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Shim:
    """A shim for one receiver that a file's tests share."""
    shim = Shim(shim_library, tmp_path_factory.mktemp("faults"))
    shim.journal.touch()
    return shim


@pytest.fixture
def shim(shim_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shim:
    """The shim under every receiver this test starts."""
    shim = Shim(shim_library, tmp_path)
    shim.journal.touch()
    for name, value in shim.environment.items():
        monkeypatch.setenv(name, value)
    return shim
