"""Staging: chunks of landed lines, written where nobody looks, and moved to where they land."""

import errno
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from landed.files import sync_folder
from landed.folders import FOLDERS
from receiver.files.disk import has_space, make_folder, write_new
from receiver.files.lines import Lines
from receiver.importing.journal import Journal, Place

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = re.compile(rf"({'|'.join(FOLDERS)})-([0-9]{{6,}})\.ndjson")


def stage(place: Place, journal: Journal, lines: Lines, reserve: int) -> None:
    """Return when a chunk is on the disk, a file for each folder it goes to.

    Args:
        place: of the file that is imported.
        journal: its journal, which does not know of the chunk yet.
        lines: the chunk.
        reserve: bytes that have to stay free.

    Raises:
        OSError: there is no room, or it cannot be written.
    """
    if not has_space(place.staging, reserve + lines.size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place.staging))
    for folder, of_folder in lines.by_folder.items():
        write_new(place.staging / f"{folder}-{journal.chunks:06d}.ndjson", b"".join(of_folder))
    sync_folder(place.staging)


def drop_unnoted(place: Place, journal: Journal) -> None:
    """Remove what was staged of a chunk that the journal does not know."""
    for path, _, chunk in _staged(place):
        if int(chunk) >= journal.chunks:
            path.unlink()


def publish(place: Place, journal: Journal, landing: Path) -> None:
    """Move the staged chunks to where the loader finds them; return when that is durable."""
    read_at = _EPOCH + timedelta(microseconds=journal.read_at)
    folders = set()
    for path, call, chunk in _staged(place):
        folder = landing / call
        if folder not in folders:
            make_folder(folder)
            folders.add(folder)
        # The call is in the name as well: the loader knows files by name alone.
        name = f"{read_at:%Y%m%dT%H%M%S%fZ}-import-{call}-{place.key[:8]}-{chunk}.ndjson"
        path.rename(folder / name)
    for folder in folders:
        sync_folder(folder)


def remove_folder(place: Place) -> None:
    """Remove the folder of the staged chunks, unless somebody has put something else there."""
    try:
        place.staging.rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise


def _staged(place: Place) -> Iterator[tuple[Path, str, str]]:
    """Yield the staged chunks, each with the folder it goes to and its number; others' no file."""
    for path in sorted(place.staging.iterdir()):
        if name := _CHUNK.fullmatch(path.name):
            yield path, name[1], name[2]
