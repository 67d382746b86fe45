"""Origins: the files that are imported, on this machine or in an object store."""

import io
import os
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError, PreconditionError
from obstore.store import ObjectStore

from landed.buckets import in_one_line
from receiver.importing.errors import UnreadableError, UselessError

_LOCAL_BUFFER = 1 << 20
_RANGE_BYTES = 8 << 20  # a request each: worth its round trip, and held in memory


class LocalFile:
    """A file on this machine, as it was found.

    Attributes:
        address: where it is.
        size: its bytes, packed as it is.
        version: what is different once its contents are: then it is another file.
    """

    __slots__ = ("_inode", "_path", "address", "size", "version")

    def __init__(self, path: Path) -> None:
        """Look at a file.

        Raises:
            OSError: it cannot be looked at.
        """
        self._path = path.resolve(strict=True)
        # A name may hold bytes that are no text.
        self.address = os.fsencode(self._path).decode(errors="backslashreplace")
        status = self._path.stat()
        self.size, self.version = _seen(status)
        self._inode = _inode(status)

    def open(self) -> io.BufferedReader:
        """Open it for reading; it can be sought in.

        Raises:
            UnreadableError: it cannot be read.
        """
        try:
            return io.BufferedReader(_OnDisk(self._path, opener=_no_link), _LOCAL_BUFFER)
        except OSError as error:
            raise UnreadableError(f"cannot be read: {error.strerror}") from error

    def refuse_changed(self, opened: io.BufferedReader) -> None:
        """Refuse a file that was written to, or exchanged, since it was found.

        Raises:
            UselessError: it was.
        """
        status = os.fstat(opened.fileno())
        if _seen(status) != (self.size, self.version) or _inode(status) != self._inode:
            raise changed()


class _OnDisk(io.FileIO):
    """A file whose problem is told from that of the folder that is landed in."""

    def readinto(self, buffer: Any) -> int:
        try:
            return super().readinto(buffer) or 0
        except OSError as error:
            raise UnreadableError(f"cannot be read: {error.strerror}") from error


class StoredObject:
    """An object in a store, read by ranges, all of the same version; like a `LocalFile` to use."""

    __slots__ = ("_etag", "_path", "_store", "address", "size", "version")

    def __init__(self, store: ObjectStore, bucket: str, found: Any) -> None:
        """Take what a listing or a look at the object has told.

        Args:
            store: the bucket.
            bucket: its address, `s3://bucket`.
            found: the object's `ObjectMeta`.
        """
        self._store = store
        self._path: str = found["path"]
        self._etag: str | None = found["e_tag"]
        self.address = f"{bucket}/{self._path}"
        self.size: int = found["size"]
        self.version = self._etag or found["last_modified"].isoformat()

    def open(self) -> io.BufferedReader:
        """Open it for reading; the first request comes with the first read."""
        return io.BufferedReader(_Ranges(self), _RANGE_BYTES)

    def refuse_changed(self, opened: io.BufferedReader) -> None:
        """Do nothing: each range was asked for under the condition that it had not changed."""

    def read_range(self, start: int, end: int) -> bytes:
        """Return some of its bytes.

        Raises:
            UselessError: it was changed.
            UnreadableError: the store does not give them.
        """
        options: Any = {"range": (start, end)}
        if self._etag:
            options["if_match"] = self._etag
        try:
            return bytes(obstore.get(self._store, self._path, options=options).bytes())
        except PreconditionError as error:
            raise changed() from error
        except (BaseError, OSError) as error:
            raise UnreadableError(f"cannot be read: {in_one_line(error)}") from error


class _Ranges(io.RawIOBase):
    """An object's bytes; each read is a request."""

    def __init__(self, found: StoredObject) -> None:
        self._found = found
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._found.size}
        self._position = base[whence] + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._found.size)
        if end <= self._position:
            return 0
        data = self._found.read_range(self._position, end)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


Origin = LocalFile | StoredObject


def changed() -> UselessError:
    """Return the error of a file that was changed since it was found."""
    return UselessError(
        "was changed while it was read: nothing of it was imported. Try again once it rests"
    )


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _seen(status: os.stat_result) -> tuple[int, str]:
    return status.st_size, str(status.st_mtime_ns)
