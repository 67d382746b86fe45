"""A landed file while it is being written: append, sync, seal."""

import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from landed.files import FILE_MODE, lock, sync_data, sync_folder, write_all
from receiver.files.disk import NEW_FILE

_ATTEMPTS = 10


def file_names() -> Iterator[str]:
    """Yield names that no other process chooses: `<UTC start>-<host>-<pid>-<random>-<seq>`."""
    host = re.sub(r"[^A-Za-z0-9.]", "_", socket.gethostname())[:63]  # a dash parts the fields
    process = f"{host}-{os.getpid()}-{secrets.token_hex(4)}"
    for sequence in count(1):
        start = datetime.now(UTC)
        yield f"{start:%Y%m%dT%H%M%S%fZ}-{process}-{sequence:06d}"


@dataclass(eq=False)
class LandedFile:
    """One `.ndjson.open` file and the lock that shows it is being written.

    Attributes:
        path: where it stands until it is sealed.
        durable: bytes of it that are known to be on the disk.
        size: bytes written.
        opened: when, on the monotonic clock.
    """

    path: Path
    descriptor: int
    durable: int = 0
    size: int = 0
    opened: float = field(default_factory=time.monotonic)

    @classmethod
    def create(cls, folder: Path, names: Iterator[str]) -> "LandedFile":
        """Create a file that nobody else has in a folder, and make its name durable."""
        for name in (next(names) for _ in range(_ATTEMPTS)):
            path = folder / f"{name}.ndjson.open"
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | NEW_FILE, FILE_MODE)
            except FileExistsError:  # planted: leave it alone and take another name
                continue
            file = cls(path, descriptor)
            # A recovering process may have taken the file for an orphan before it was locked.
            if lock(descriptor) and file.has_name():
                return file._with_durable_name()
            file.close()
        raise FileExistsError(f"{folder}: no new name is free")

    def _with_durable_name(self) -> "LandedFile":
        try:
            sync_folder(self.path.parent)
        except OSError:
            self.discard()
            raise
        return self

    def has_name(self) -> bool:
        """Say whether the file is still in its folder, where a reader would find it."""
        status = os.fstat(self.descriptor)
        try:
            return os.path.samestat(status, self.path.lstat())
        except PermissionError:  # nobody can look into the folder just now
            return status.st_nlink > 0
        except OSError:
            return False

    def append(self, data: bytes) -> None:
        """Write lines at the end; they are not durable yet."""
        write_all(self.descriptor, data)
        self.size += len(data)

    def roll_back(self) -> None:
        """Take back what is not durable."""
        os.ftruncate(self.descriptor, self.durable)
        self.size = self.durable

    def sync(self) -> None:
        """Make what was written durable."""
        sync_data(self.descriptor)
        self.durable = self.size

    def seal(self) -> None:
        """Hand the file to the loader; the new name is durable once the folder is synced."""
        self.path.rename(self.path.with_suffix(""))
        self.close()

    def discard(self) -> None:
        """Remove the file: nothing in it was ever durable."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the file and its lock, and leave it as it is."""
        os.close(self.descriptor)
