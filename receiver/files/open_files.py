"""The open files of one process, one per call; only the committer touches them."""

import errno
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from landed.files import sync_folder
from receiver.files.disk import has_space, make_folder, problem_code
from receiver.files.landed_file import LandedFile, file_names

_BLOCK_BYTES = 4 << 20


class Problem(NamedTuple):
    """Why lines did not become durable.

    Attributes:
        code: one word for the answer and the log.
        fatal: whether what is in the files can no longer be known, so that the process has to
            leave them to recovery.
        said: what else the log tells of it.
    """

    code: str
    fatal: bool = False
    said: str | None = None

    @property
    def lacks_room(self) -> bool:
        """Whether fewer bytes might have become durable."""
        return self.code == "disk_full"


def _blocks(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Join lines for writing, a few megabytes at a time: large ones are not copied all at once."""
    block: list[bytes] = []
    size = 0
    for line in lines:
        block.append(line)
        size += len(line)
        if size >= _BLOCK_BYTES:
            yield b"".join(block)
            block, size = [], 0
    yield b"".join(block)


class OpenFiles:
    """Writes groups of lines, all or nothing, and seals files that are old or big."""

    def __init__(
        self, folder: Path, seal_seconds: float, seal_bytes: int, reserve_bytes: int
    ) -> None:
        """Open nothing yet: a file is created with its first line."""
        self._folder = folder
        self._seal_seconds = seal_seconds
        self._seal_bytes = seal_bytes
        self._reserve_bytes = reserve_bytes
        self._names = file_names()
        self._files: dict[str, LandedFile] = {}
        self._durable_folders: set[str] = set()

    def commit(self, lines: Mapping[str, Sequence[bytes]]) -> Problem | None:
        """Make lines durable, each in the file of its folder, or none of them.

        Returns:
            None once they are on the disk, else why they are not.
        """
        touched: list[LandedFile] = []
        try:
            self._append(lines, touched)
        except OSError as error:
            return self._undo(touched, error)
        try:
            for file in touched:
                file.sync()
        except OSError as error:
            # The kernel may have dropped the pages and called them clean, so that a second
            # sync would succeed and mean nothing.
            return Problem(f"sync_{errno.errorcode.get(error.errno or 0, 'failed')}", fatal=True)
        if all(file.has_name() for file in touched):
            return None
        self._forget_nameless()
        return Problem("cannot_write")

    def _append(self, lines: Mapping[str, Sequence[bytes]], touched: list[LandedFile]) -> None:
        size = sum(sum(map(len, of_call)) for of_call in lines.values())
        if not has_space(self._folder, self._reserve_bytes + size):
            raise OSError(errno.ENOSPC, "below the reserve")
        for call, of_call in lines.items():
            if call not in self._files:
                self._files[call] = self._create(call)
            touched.append(self._files[call])
            for block in _blocks(of_call):
                self._files[call].append(block)

    def _create(self, call: str) -> LandedFile:
        folder = self._folder / call
        if call not in self._durable_folders:
            make_folder(folder)
            self._durable_folders.add(call)
        try:
            return LandedFile.create(folder, self._names)
        except FileNotFoundError:  # somebody removed the folder
            self._durable_folders.clear()
            raise

    def _undo(self, touched: Iterable[LandedFile], error: OSError) -> Problem:
        if error.errno == errno.EIO:
            return Problem("write_EIO", fatal=True)
        try:
            for file in touched:
                file.roll_back()
                if not file.durable:
                    self._forget(file)
                    file.discard()
        except OSError:
            return Problem("cannot_undo", fatal=True)
        return Problem(problem_code(error))

    def next_due(self) -> float | None:
        """Return when, on the monotonic clock, the oldest file has to be sealed."""
        oldest = min((file.opened for file in self._files.values()), default=None)
        return None if oldest is None else oldest + self._seal_seconds

    def due(self) -> list[LandedFile]:
        """Return the files that are old or big enough to be sealed."""
        born_before = time.monotonic() - self._seal_seconds
        return [
            file
            for file in self._files.values()
            if file.opened <= born_before or file.size >= self._seal_bytes
        ]

    def all(self) -> list[LandedFile]:
        """Return every open file."""
        return list(self._files.values())

    def seal(self, files: Iterable[LandedFile]) -> list[str]:
        """Hand files to the loader.

        Returns:
            Why some could not be; they stay open and are due again later.
        """
        problems = []
        folders = set()
        for file in files:
            try:
                file.seal()
            except OSError as error:
                problems.append(f"{file.path.parent.name}: {error.strerror}")
                file.opened = time.monotonic()
            else:
                self._forget(file)
                folders.add(file.path.parent)
        for folder in folders:
            try:
                sync_folder(folder)
            except OSError as error:  # a crash may undo the renaming; recovery renames again
                problems.append(f"{folder.name}: {error.strerror}")
        self._forget_nameless()
        return problems

    def _forget_nameless(self) -> None:
        """Let go of files that somebody removed: nothing can be landed in them."""
        for file in self.all():
            if not file.has_name():
                self._durable_folders.clear()
                self._forget(file)
                file.close()

    def _forget(self, file: LandedFile) -> None:
        self._files = {call: kept for call, kept in self._files.items() if kept is not file}
