"""Files that are there whole or not at all, after a power cut too."""

import os
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, data: bytes, aside: Path | None = None) -> None:
    """Write a file in the place of one that may be there, for its owner's eyes only.

    Args:
        path: The file.
        data: What it is to hold.
        aside: Where it is written before it gets its name; beside it if not given.
    """
    written = aside or path.with_name(f".{path.name}.new")
    with open(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    written.rename(path)
    sync_folder(path.parent)


def make_folder(path: Path, mode: int = 0o700) -> None:
    """Make a folder with those above it, as far as missing, and bring their names to the disk."""
    if path.is_dir():
        return
    make_folder(path.parent, mode)
    path.mkdir(exist_ok=True, mode=mode)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Bring to the disk what was written to a file."""
    _sync(path, os.O_RDWR)


def sync_folder(path: Path) -> None:
    """Bring to the disk the names in a folder."""
    _sync(path, os.O_RDONLY)


class NewFiles:
    """The Parquet files that come into a folder, or into those below it, from now on.

    No others: SQLite's locks on a file go when anything of its process closes that file.
    """

    def __init__(self, folder: Path) -> None:
        """See what is there."""
        self._folder = folder
        self._known = self._files()

    def sync(self) -> None:
        """Bring to the disk what came: the files, and their names.

        All that came, each time: what another thread still wrote then has grown since.
        """
        new = [Path(path) for path in self._files() - self._known]
        for path in new:
            with suppress(FileNotFoundError):  # of a transaction that was taken back
                sync_file(path)
        for folder in {folder for path in new for folder in self._folders_above(path)}:
            sync_folder(folder)

    def _files(self) -> set[str]:
        return {
            os.path.join(folder, name)  # noqa: PTH118 - a Path for each costs more than the listing
            for folder, _, names in os.walk(self._folder)
            for name in names
            if name.endswith(".parquet")
        }

    def _folders_above(self, path: Path) -> list[Path]:
        below = path.relative_to(self._folder).parents
        return [self._folder / folder for folder in below]


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
