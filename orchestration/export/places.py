"""Where Parquet files are exported to: a folder, or a bucket of an object store."""

from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Protocol

from landed.files import sync_file, sync_folder, write_whole
from landed.object_store import DamagedObjectError, Store
from orchestration.durable_files import make_folder

SETTING = "SEAMLINE_EXPORT_PARQUET"
RAW = "SEAMLINE_EXPORT_RAW"


class Place(Protocol):
    """What is written to; each file is there whole, or as it was."""

    def read(self, name: str) -> bytes | None:
        """Return what a small file holds; None if there is none."""

    def write(self, name: str, data: bytes) -> None:
        """Write a small file in the place of one that may be there."""

    def fill(self, name: str, make: Callable[[Path], object]) -> None:
        """Write a file likewise that something else makes where it is told."""

    def names(self, folder: str) -> list[str]:
        """The files below a folder; what was begun and never done goes."""

    def remove(self, name: str) -> None:
        """Remove a file that may be there."""


def place_of(address: Path | str, scratch: Path, setting: str = SETTING) -> Place:
    """Return the place at an address.

    Args:
        address: a folder, or `s3://`, `gs://` or `az://` and a bucket, with what all names begin
            with behind it.
        scratch: a folder for what is being written to a bucket.
        setting: which setting names it.

    Raises:
        StoreError: the store can never be used.
    """
    if isinstance(address, Path):
        return Folder(address)
    return Bucket(address, scratch, setting)


class Folder:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        """Make it if it is missing."""
        self._path = path
        make_folder(path)

    def read(self, name: str) -> bytes | None:
        """As `Place` says."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """As `Place` says."""
        path = self._path / name
        make_folder(path.parent)
        write_whole(path, data)

    def fill(self, name: str, make: Callable[[Path], object]) -> None:
        """As `Place` says."""
        path = self._path / name
        make_folder(path.parent)
        aside = path.with_name(f".{path.name}.new")
        make(aside)
        sync_file(aside)
        aside.rename(path)
        sync_folder(path.parent)

    def names(self, folder: str) -> list[str]:
        """As `Place` says."""
        for begun in (self._path / folder).rglob(".*.new"):
            begun.unlink(missing_ok=True)
        files = (path for path in (self._path / folder).rglob("*") if path.is_file())
        return [path.relative_to(self._path).as_posix() for path in files]

    def remove(self, name: str) -> None:
        """As `Place` says; a folder that it leaves empty goes too."""
        path = self._path / name
        path.unlink(missing_ok=True)
        if path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()


class Bucket:
    """What is below an address in an object store."""

    def __init__(self, address: str, scratch: Path, setting: str = SETTING) -> None:
        """Ask nothing of it yet.

        Args:
            address: Where it is.
            scratch: A folder for what is being written.
            setting: Which setting names it.
        """
        self._store = Store(address, setting=setting)
        self._scratch = scratch
        rmtree(scratch, ignore_errors=True)  # what a killed process had begun

    def read(self, name: str) -> bytes | None:
        """As `Place` says."""
        try:
            return self._store.read(name)
        except (FileNotFoundError, DamagedObjectError):  # another's: we keep a checksum with it
            return None

    def write(self, name: str, data: bytes) -> None:
        """As `Place` says."""
        self._store.put(name, data)

    def fill(self, name: str, make: Callable[[Path], object]) -> None:
        """As `Place` says."""
        make_folder(self._scratch)
        with TemporaryDirectory(prefix="export-", dir=self._scratch) as folder:
            made = Path(folder) / "made"
            make(made)
            with made.open("rb") as file:
                self._store.put(name, file)

    def names(self, folder: str) -> list[str]:
        """As `Place` says; what was begun here has gone already."""
        return [one.key for one in self._store.list(f"{folder}/")]

    def remove(self, name: str) -> None:
        """As `Place` says."""
        self._store.delete([name])
