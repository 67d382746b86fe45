"""An object store as a second landing folder: S3, and through the same library GCS and Azure.

What is put is kept with its SHA-256, and proved before anybody counts on it. What goes wrong is a
`StoreError` of one line, which names the setting and no credentials: these are the environment's,
as each store's own tools read them.
"""

import hashlib
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, NamedTuple

import obstore
from obstore import Bytes
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import ObjectStore

from landed.buckets import PATIENT, Patience, in_one_line, open_bucket, parts_of
from landed.errors import ReportedError

SETTING = "SEAMLINE_LANDING_REMOTE"

WAITING = "waiting"
"""Sealed files that no loader has loaded yet, below it by call."""

CONFLICTS = "conflicts"
"""Files whose name was loaded with other contents; on the loader's disk they are `*.conflict`."""

LARGE = 32 * 1024 * 1024
"""What is larger goes in parts, and in the place of what has its name."""

A_TIMES_BYTES = 8 * 1024 * 1024
"""So many bytes have the time of a request: 70 kB a second at least with that of `PATIENT`."""

_SHA256 = "sha256"
_WAS = "was"
_PAGE = 1000
_PART = 32 * 1024 * 1024
_LASTING = (PermissionDeniedError, UnauthenticatedError, InvalidPathError)
_KEYS_OF_A_MACHINE = ("/latest/api/token", "/latest/meta-data", "metadata.google.internal")
"""Where the client looks for keys in the end, if it is given none."""

_REFUSED = re.compile("status code: 40[013]")
"""What is said of a list that is refused: of no other kind than what does not answer."""
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")


Readable = io.BufferedReader | io.BytesIO
"""A file that is open for reading."""


class StoreError(ReportedError):
    """The store did not do what it was asked; nothing was lost by that.

    Attributes:
        is_lasting: whether it will not do it by itself: rights, keys, a bucket that is not there.
    """

    def __init__(self, text: str, *, is_lasting: bool = False) -> None:
        """Say what is wrong, in a line."""
        self.is_lasting = is_lasting
        super().__init__(text)


class TakenError(StoreError):
    """Another object has the name: other contents."""


class DamagedObjectError(StoreError):
    """An object is not what was put: its checksum says so, or it has none."""


class Kept(NamedTuple):
    """An object, as a look at it tells."""

    size: int
    sha256: str | None
    was: str | None = None
    """The SHA-256 of what was put first, if the loader has taken lines out of it since."""


class Listed(NamedTuple):
    """An object, as a list tells."""

    key: str
    size: int
    changed: datetime


class Store:
    """The objects below an address."""

    def __init__(
        self, address: str, patience: Patience | None = None, *, setting: str = SETTING
    ) -> None:
        """Open it; nothing is asked yet.

        Args:
            address: `s3://bucket/prefix`, `gs://…` or `az://…`.
            patience: How long each request may take, if not as long as work behind the scenes may.
            setting: The setting whose value the address is.
        """
        self.address = address
        self._setting = setting
        bucket, self._prefix = parts_of(address)
        self._keeps_checksums = bucket.startswith("s3:")
        self._bucket = bucket
        self._patience = patience or PATIENT
        self._waits_longer = patience is None
        self._for_large: dict[int, ObjectStore] = {}
        with self._told():
            self._store = open_bucket(bucket, self._patience)

    def check(self) -> None:
        """See that there is a bucket, and that it lets us look.

        Raises:
            StoreError: there is none, or it does not.
        """
        for _ in self.list(WAITING):
            break

    def put_new(self, key: str, data: bytes | Readable, *, is_proved: bool = True) -> None:
        """Put an object; one that is there already, with the same contents, is as good.

        One that was to have these contents and is damaged is put over.

        Args:
            key: Its name.
            data: What it holds.
            is_proved: Whether it is looked at afterwards though the store has checked it itself.

        Raises:
            TakenError: there is one with other contents.
            StoreError: it may be there, or not.
        """
        file, wanted = _measured(data)
        try:
            with self._told():
                obstore.put(
                    self._for_size(wanted.size),
                    self._path(key),
                    file,
                    attributes={_SHA256: wanted.sha256 or ""},
                    mode="create",
                    use_multipart=False,
                )
        except AlreadyExistsError:  # also if the answer to our own first try was lost
            self._prove_or_put_over(key, file, wanted)
            return
        if is_proved or not self._keeps_checksums:
            try:
                self._prove(key, wanted)
            except DamagedObjectError:
                self._prove_or_put_over(key, file, wanted)

    def put(self, key: str, data: bytes | Readable, was: str | None = None) -> str:
        """Put an object in the place of one that may be there; return its SHA-256.

        Args:
            key: Its name.
            data: What it holds.
            was: The SHA-256 of what was put there first, if whoever did may do it again.

        Raises:
            StoreError: it may be there, or not.
        """
        file, wanted = _measured(data)
        wanted = wanted._replace(was=was)
        with self._told():
            obstore.put(
                self._for_size(min(wanted.size, LARGE)),
                self._path(key),
                file,
                attributes={_SHA256: wanted.sha256 or ""} | ({_WAS: was} if was else {}),
                use_multipart=wanted.size > LARGE,
            )
        self._prove(key, wanted)
        return wanted.sha256 or ""

    def look(self, key: str) -> Kept | None:
        """Look at an object; None if there is none.

        Raises:
            StoreError: it cannot be looked at.
        """
        try:
            with self._told(may_be_missing=True):
                found = obstore.get(self._store, self._path(key), options={"head": True})
        except FileNotFoundError:
            return None
        known = found.attributes
        return Kept(found.meta["size"], known.get(_SHA256), known.get(_WAS))

    def get(self, key: str, take: Callable[[Any], object]) -> str:
        """Give an object's bytes to a function, a piece after the other, and prove them at the end.

        Args:
            key: Its name.
            take: Called with each piece.

        Returns:
            Their SHA-256.

        Raises:
            FileNotFoundError: there is none.
            DamagedObjectError: they are not what was put.
            StoreError: they are not to be had now.
            Exception: whatever the function raises: a disk here that is full is not the store's.
        """
        digest = hashlib.sha256()
        with self._told(may_be_missing=True):
            found = obstore.get(self._store, self._path(key))
            size = found.meta["size"]
            pieces = self._parts(key, size) if size > LARGE else iter(found.stream())
        while True:
            with self._told(may_be_missing=True):
                piece = next(pieces, None)
            if piece is None:
                break
            digest.update(piece)
            take(piece)
        wanted = found.attributes.get(_SHA256)
        if digest.hexdigest() != wanted:
            why = "is not what was put" if wanted else "has no checksum of ours"
            raise DamagedObjectError(f"{self.address}/{key} {why}")
        return digest.hexdigest()

    def read(self, key: str) -> bytes:
        """An object's bytes, proved; see `get`."""
        held = bytearray()
        self.get(key, held.extend)
        return bytes(held)

    def list(self, folder: str) -> Iterator[Listed]:
        """The objects below a folder, in the order of their names, a page of them at a time.

        Raises:
            StoreError: they are not to be had, or not all.
        """
        cut = len(self._path(""))
        with self._told():
            pages = iter(obstore.list(self._store, prefix=self._path(folder), chunk_size=_PAGE))
        while True:
            with self._told():
                page = next(pages, None)
            if page is None:
                return
            for one in page:
                yield Listed(one["path"][cut:], one["size"], one["last_modified"])

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there are no problem.

        Raises:
            StoreError: some may still be there.
        """
        if paths := [self._path(key) for key in keys]:
            try:
                with self._told(may_be_missing=True):
                    obstore.delete(self._store, paths)
            except FileNotFoundError:  # as some stores say, and leave out what is behind it
                for path in paths:
                    with suppress(FileNotFoundError), self._told(may_be_missing=True):
                        obstore.delete(self._store, path)

    def _path(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    def _for_size(self, size: int) -> ObjectStore:
        """The bucket, with time for a body of that size, if whoever asks has it."""
        times = 1 << max(0, (size - 1) // A_TIMES_BYTES).bit_length()
        if times == 1 or not self._waits_longer:
            return self._store
        if times not in self._for_large:
            patience = self._patience._replace(seconds=self._patience.seconds * times)
            self._for_large[times] = open_bucket(self._bucket, patience)
        return self._for_large[times]

    def _parts(self, key: str, size: int) -> Iterator[Bytes | bytes]:
        """A large object's bytes, in requests that each have their time."""
        for start in range(0, size, _PART):
            end = min(start + _PART, size)
            yield obstore.get_range(self._store, self._path(key), start=start, end=end)

    def _prove_or_put_over(self, key: str, file: Readable, wanted: Kept) -> None:
        """See that an object is ours and whole; its metadata is what we said, and no proof."""
        found = self.look(key)
        if found is None:  # loaded meanwhile, or never there
            raise StoreError(f"{self.address}/{key} was there, and is not: it is tried again")
        if found.was == wanted.sha256:
            return  # the loader has read it, and written it anew
        if found.sha256 != wanted.sha256:
            raise TakenError(f"{self.address}/{key} is there already, with other contents")
        if not self._is_whole(key, found, wanted):
            file.seek(0)
            self.put(key, file)

    def _is_whole(self, key: str, found: Kept, wanted: Kept) -> bool:
        if self._keeps_checksums:
            return found.size == wanted.size
        try:
            self.get(key, len)
        except DamagedObjectError:
            return False
        return True

    def _prove(self, key: str, wanted: Kept) -> None:
        if self._keeps_checksums:
            is_there = self.look(key) == wanted
        else:
            try:
                is_there = self.get(key, len) == wanted.sha256
            except FileNotFoundError:
                is_there = False
        if not is_there:
            raise DamagedObjectError(f"{self.address}/{key} is not there as it was put")

    @contextmanager
    def _told(self, *, may_be_missing: bool = False) -> Iterator[None]:
        """Tell in a line what a store says; what is there already, or may miss, is the caller's."""
        try:
            yield
        except (AlreadyExistsError, StoreError):
            raise
        except (BaseError, OSError, ValueError) as error:
            has_bucket = not any(text in str(error) for text in _NO_BUCKET)
            if isinstance(error, FileNotFoundError) and has_bucket and may_be_missing:
                raise
            said = in_one_line(error) if has_bucket else "there is no such bucket"
            if any(place in said for place in _KEYS_OF_A_MACHINE):
                said = f"the environment has no keys for it, nor has this machine: {said}"
            is_lasting = isinstance(error, _LASTING) or bool(_REFUSED.search(said))
            raise StoreError(
                f"{self._setting}: {self.address} cannot be used: {said}",
                is_lasting=is_lasting or not has_bucket,
            ) from None


def _measured(data: bytes | Readable) -> tuple[Readable, Kept]:
    file = io.BytesIO(data) if isinstance(data, bytes) else data
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return file, Kept(size, sha256)
