"""Where the lake's catalog is: what is asked of a SQLite file is asked of each kind in this way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from orchestration.settings import Settings
from orchestration.warehouse.locks import Lock

SECRET = "seamline_catalog"  # noqa: S105 - its name
"""The name of DuckDB's secret that a catalog's password is in."""


@dataclass(frozen=True)
class Opened:
    """What ATTACH is given, and the folder that goes with it if it is a copy."""

    address: str
    folder: TemporaryDirectory[str] | None = None

    def remove_copy(self) -> None:
        """Remove the copy; a catalog that is none stays."""
        if self.folder:
            self.folder.cleanup()


class Catalog(Protocol):
    """The catalog of a warehouse, which may not be there yet."""

    extensions: tuple[str, ...]
    """DuckDB's, besides those that every session has."""

    attach_options: Mapping[str, str | int | bool]
    """The options of ATTACH that go with this kind."""

    password: str | None
    """What a session has to have in `SECRET`, if anything; nobody else is offered it."""

    settings: Mapping[str, str]
    """DuckDB's own, which a session has to have."""

    folders: tuple[Path, ...]
    """Folders of this machine that it is in."""

    def exists(self) -> bool:
        """Whether it is there."""

    def create(self) -> None:
        """Make the place for it, so that DuckLake can make its tables there, as far as missing."""

    def to_open(self, *, read_only: bool) -> Opened:
        """What to attach: the catalog itself, or a copy of it for those who may only read.

        Raises:
            WarehouseMissingError: `read_only`, and nothing has been loaded yet.
            WarehouseUnusableError: it cannot be reached or read.
        """

    def is_at(self, address: str) -> bool:
        """Whether an address that somebody attaches seems to be of this catalog."""

    def identity(self) -> object:
        """What is another once another catalog has been put in its place as a whole."""

    def version(self) -> object:
        """What is another once anybody has written to it; None if that cannot be told now."""

    def size(self) -> int:
        """How many bytes it takes."""

    def shrink(self) -> None:
        """Give back what it takes in vain, if that is much; the caller is the writer."""

    def empty(self) -> bool:
        """Leave nothing in it of what was deleted; False if somebody reads it, and it stays."""

    def remove_others(self) -> list[str]:
        """Remove what rebuilds have left and put aside; return the names of the whole ones."""

    def search(self, holds: Callable[[bytes], bool]) -> list[str]:
        """The parts of it that are in none of its `folders` and hold what is looked for.

        Args:
            holds: Whether some bytes do.
        """

    def beside(self) -> Mapping[str, object]:
        """The settings in which a catalog differs that is made to take this one's place."""

    def remove(self) -> None:
        """Remove it with all that belongs to it; there may be nothing."""

    def take_over(self, source: Settings) -> str | None:
        """Become what the catalog beside is, in one transaction; that one goes.

        Readers read the old one or the new one, and a death leaves one of them.

        Returns:
            The name under which the old one is kept, if there was one.

        Raises:
            CatalogFullError: it could not be written; nothing was changed.
        """

    def lock(self, name: str) -> Lock:
        """A lock by its name: the same one for all that a thread does."""

    def new_lock(self, name: str) -> Lock:
        """The same lock as somebody else wants it."""


def catalog_of(settings: Settings) -> Catalog:
    """The catalog that the settings lead to."""
    if settings.postgres is None:
        from orchestration.warehouse.sqlite_catalog import SqliteCatalog  # noqa: PLC0415

        return SqliteCatalog(settings)
    from orchestration.warehouse.postgres_catalog import PostgresCatalog  # noqa: PLC0415

    return PostgresCatalog(settings)


def moment() -> str:
    """Now, as a part of a name that sorts by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
