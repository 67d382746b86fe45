"""Journals: how far the import of each file is, in `landing/imports/`.

A file has a journal, `<key>.json`, from its first chunk on and for ever: it is how an import
knows that it has been there. The folder `<key>/` beside it holds the staged chunks, and is there
until they are landed. No journal holds anything of an event.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from landed.files import lock, sync_folder
from receiver.files.disk import is_at, make_folder, write_new
from receiver.importing.errors import FileError
from receiver.importing.origins import Origin


class State(StrEnum):
    """What has happened to a file."""

    READING = "reading"
    READ = "read"
    """All its chunks are staged; not all of them may be landed."""
    LANDED = "landed"


class Journal(msgspec.Struct, kw_only=True):
    """How far the import of one file is.

    Attributes:
        address: where the file is.
        size: its bytes.
        version: its modification time or tag.
        source: the sender's name its events have.
        started: when the import began, in microseconds since 1970.
        read_at: when all was read, likewise: the landed files are named after it.
        state: what has happened to the file.
        chunks: how many are staged.
        offset: where in the unpacked file the next one begins.
        records: how many events it has behind it, the rejected ones included.
        landed: how many of them go to each folder of landing/.
        cut_short: whether the file ended in the middle.
    """

    v: int = 1
    address: str
    size: int
    version: str
    source: str
    started: int
    read_at: int = 0
    state: State = State.READING
    chunks: int = 0
    offset: int = 0
    records: int = 0
    landed: dict[str, int] = {}
    cut_short: bool = False


_decode = msgspec.json.Decoder(Journal).decode


def key_of(origin: Origin) -> str:
    """Return what a file's journal is called: another version of the file has another."""
    seen = msgspec.json.encode([origin.address, origin.size, origin.version])
    return hashlib.sha256(seen).hexdigest()[:32]


class Place:
    """Where the journal and the staged chunks of one file are.

    Attributes:
        key: what both are called.
        staging: the folder of the staged chunks.
    """

    def __init__(self, imports: Path, key: str) -> None:
        """Create nothing yet."""
        self.key = key
        self.staging = imports / key
        self._path = imports / f"{key}.json"

    def journal(self) -> Journal | None:
        """Read the journal; None if there is none."""
        try:
            return _decode(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FileError(f"has a journal that cannot be read: {self._path}") from error

    def write(self, journal: Journal) -> None:
        """Return when the journal is on the disk, whole, in the place of the one before."""
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        write_new(new, msgspec.json.encode(journal) + b"\n")
        new.rename(self._path)
        sync_folder(self._path.parent)

    def forget(self) -> None:
        """Remove all there is of the file, so that its import begins anew."""
        self._path.unlink(missing_ok=True)
        sync_folder(self._path.parent)
        shutil.rmtree(self.staging)

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep other imports from the file.

        Raises:
            FileError: another one is at it.
        """
        while True:
            make_folder(self.staging)
            try:
                descriptor = os.open(self.staging, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except FileNotFoundError:  # removed by the one who has just landed it
                continue
            try:
                if not lock(descriptor):
                    raise FileError("is being imported by another process")
                if is_at(descriptor, self.staging):
                    yield
                    return
            finally:
                os.close(descriptor)
