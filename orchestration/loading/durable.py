"""Files that are there whole or not at all, after a power cut too."""

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in the place of one that may be there, for its owner's eyes only."""
    written = path.with_name(f".{path.name}.new")
    with open(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    written.rename(path)
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder with those above it, as far as missing, and bring their names to the disk."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True, mode=0o700)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Bring to the disk what was written to a file."""
    _sync(path, os.O_RDWR)


def sync_folder(path: Path) -> None:
    """Bring to the disk the names in a folder."""
    _sync(path, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
