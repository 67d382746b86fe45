"""Where Parquet files are exported to: a folder, or a bucket of an object store."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from landed.errors import ReportedError
from landed.files import sync_file, sync_folder, write_whole
from orchestration.durable_files import make_folder

SETTING = "SEAMLINE_EXPORT_PARQUET"
_RETRIES = 5

Answer = TypeVar("Answer")


class ExportFailedError(ReportedError):
    """What is exported to cannot be used; the text says which setting names it."""


class Place(Protocol):
    """What is written to; each file is there whole, or as it was."""

    def read(self, name: str) -> bytes | None:
        """Return what a small file holds; None if there is none."""

    def write(self, name: str, data: bytes) -> None:
        """Write a small file in the place of one that may be there."""

    def fill(self, name: str, make: Callable[[Path], object]) -> None:
        """Write a file likewise that something else makes where it is told."""

    def remove(self, name: str) -> None:
        """Remove a file that may be there."""


def place_of(address: Path | str, scratch: Path) -> Place:
    """Return the place at an address.

    Args:
        address: a folder, or `s3://`, `gs://` or `az://` and a bucket, with what all names begin
            with behind it.
        scratch: a folder for what is being written to a bucket.

    Raises:
        ExportFailedError: it cannot be used.
    """
    if isinstance(address, Path):
        return Folder(address)
    return Bucket(address, scratch)


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

    def remove(self, name: str) -> None:
        """As `Place` says; a folder that it leaves empty goes too."""
        path = self._path / name
        path.unlink(missing_ok=True)
        if path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()


class Bucket:
    """What is below an address in an object store."""

    def __init__(self, address: str, scratch: Path) -> None:
        """Ask nothing of it yet."""
        parts = urlsplit(address)
        self._below = parts.path.strip("/")
        self._scratch = scratch
        self._address = address
        bucket = f"{parts.scheme}://{parts.netloc}"
        self._store: ObjectStore = self._asked(
            lambda: from_url(bucket, retry_config={"max_retries": _RETRIES})
        )

    def read(self, name: str) -> bytes | None:
        """As `Place` says."""

        def get() -> bytes | None:
            try:
                return bytes(obstore.get(self._store, self._key(name)).bytes())
            except FileNotFoundError:
                return None

        return self._asked(get)

    def write(self, name: str, data: bytes) -> None:
        """As `Place` says."""
        self._asked(lambda: obstore.put(self._store, self._key(name), data))

    def fill(self, name: str, make: Callable[[Path], object]) -> None:
        """As `Place` says."""
        make_folder(self._scratch)
        with TemporaryDirectory(prefix="export-", dir=self._scratch) as folder:
            made = Path(folder) / "made"
            make(made)
            self._asked(lambda: obstore.put(self._store, self._key(name), made))

    def remove(self, name: str) -> None:
        """As `Place` says."""
        self._asked(lambda: obstore.delete(self._store, self._key(name)))

    def _key(self, name: str) -> str:
        return f"{self._below}/{name}".lstrip("/")

    def _asked(self, question: Callable[[], Answer]) -> Answer:
        try:
            return question()
        except (BaseError, OSError, ValueError) as error:
            said = " ".join(str(error).split())
            raise ExportFailedError(
                f"{SETTING}: {self._address} cannot be used: {said}. What was exported before is "
                "still there, and the next export goes on."
            ) from error
