"""Where the lake's Parquet files are: a folder, or a prefix of a bucket that speaks S3."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import urlsplit

from orchestration.durable_files import NewFiles, make_folder
from orchestration.warehouse.errors import WarehouseUnusableError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_BUCKET = "s3://"


class State(NamedTuple):
    """What is known of a file."""

    changed_at: float
    """When, in seconds since 1970."""
    size: int


class New(Protocol):
    """Files that come while somebody writes."""

    def sync(self) -> None:
        """Have them outlast a power cut."""


class DataPlace(Protocol):
    """A place of Parquet files, by whose full names DuckLake knows them."""

    extensions: tuple[str, ...]
    """DuckDB's, besides those that every session has."""

    settings: Mapping[str, str]
    """DuckDB's own, which a session has to have."""

    folders: tuple[Path, ...]
    """Folders of this machine that it is."""

    ages_from_use: bool
    """Whether `renew` has files count as new, so that nobody takes one for an old orphan."""

    def make(self) -> None:
        """Make it, as far as it is missing."""

    def new_files(self) -> New:
        """What comes from now on."""

    def files(self) -> list[str]:
        """The full names of all Parquet files."""

    def state(self, file: str) -> State | None:
        """What is known of one; nothing if it has gone."""

    def remove(self, files: Iterable[str]) -> None:
        """Remove some, of which some may have gone."""

    def renew(self) -> None:
        """Have all files be of now."""


class Folder:
    """A folder that everybody who writes or reads has at the same path."""

    extensions: tuple[str, ...] = ()
    settings: Mapping[str, str] = {}
    ages_from_use = True

    def __init__(self, folder: Path) -> None:
        """Nothing is made."""
        self._folder = folder
        self.folders: tuple[Path, ...] = (folder,)

    def make(self) -> None:
        """Make it with those above it."""
        make_folder(self._folder, mode=0o777)

    def new_files(self) -> NewFiles:
        """DuckDB syncs no file that it writes."""
        return NewFiles(self._folder)

    def files(self) -> list[str]:
        """Those below it."""
        return [str(path) for path in self._folder.rglob("*.parquet")]

    def state(self, file: str) -> State | None:
        """As the folder has it."""
        with suppress(FileNotFoundError):
            found = Path(file).stat()
            return State(found.st_mtime, found.st_size)
        return None

    def remove(self, files: Iterable[str]) -> None:
        """Unlink them."""
        for file in files:
            Path(file).unlink(missing_ok=True)

    def renew(self) -> None:
        """Touch them."""
        for file in self.files():
            with suppress(FileNotFoundError):
                Path(file).touch()


class Written:
    """Objects: the store has them on its disks before it says so."""

    def sync(self) -> None:
        """Nothing is left to do."""


class Bucket:
    """A prefix of a bucket. The environment says how to get there, as AWS names it."""

    extensions: tuple[str, ...] = ("httpfs",)
    folders: tuple[Path, ...] = ()
    ages_from_use = False  # a store takes no copy of an object onto itself

    def __init__(self, address: str) -> None:
        """Tell DuckDB where a store is that is not AWS's.

        Keys and region it finds in the environment itself: they come into no statement, which
        DuckDB, dbt and the prompt would show.
        """
        self._address = address
        self.settings: Mapping[str, str] = {}
        endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL", ""))
        if endpoint.netloc:
            self.settings = {
                "s3_endpoint": endpoint.netloc + endpoint.path.rstrip("/"),
                "s3_use_ssl": str(endpoint.scheme != "http").lower(),
                "s3_url_style": "path",
            }

    def make(self) -> None:
        """Nothing: a prefix is there with its first object, and a bucket is its owner's to make."""

    def new_files(self) -> Written:
        """What a store has said it has, it has."""
        return Written()

    def files(self) -> list[str]:
        """Those with the prefix."""
        return [f"{self._address}/{name}" for name in self._names()]

    def _names(self) -> Iterator[str]:
        import obstore  # noqa: PLC0415

        with _said(self._address):
            for page in obstore.list(self._store()):
                yield from (one["path"] for one in page if one["path"].endswith(".parquet"))

    def state(self, file: str) -> State | None:
        """As the store has it."""
        import obstore  # noqa: PLC0415

        with suppress(FileNotFoundError), _said(self._address):
            found = obstore.head(self._store(), self._name(file))
            return State(found["last_modified"].timestamp(), found["size"])
        return None

    def remove(self, files: Iterable[str]) -> None:
        """Delete them."""
        import obstore  # noqa: PLC0415

        if names := [self._name(file) for file in files]:
            with suppress(FileNotFoundError), _said(self._address):
                obstore.delete(self._store(), names)

    def renew(self) -> None:
        """Nothing; see `ages_from_use`."""

    def _name(self, file: str) -> str:
        return file.removeprefix(f"{self._address}/")

    def _store(self) -> "ObjectStore":
        from obstore.store import from_url  # noqa: PLC0415

        plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
        return from_url(self._address, client_options={"allow_http": plain})


@contextmanager
def _said(address: str) -> Iterator[None]:
    """Say of a store's error in a line what it is and which setting leads there."""
    from obstore.exceptions import BaseError  # noqa: PLC0415

    try:
        yield
    except FileNotFoundError:
        raise
    except BaseError as error:
        line = " ".join(str(error).split())[:300]
        raise WarehouseUnusableError(
            f"{address} (SEAMLINE_WAREHOUSE_DATA) cannot be used: {line}. What waits stays in the "
            "landing folder, and is loaded when the store answers."
        ) from error


def place_at(address: str) -> DataPlace:
    """The place that an address, or a path, is of."""
    address = address.rstrip("/")
    return Bucket(address) if address.startswith(_BUCKET) else Folder(Path(address))
