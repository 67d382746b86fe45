"""What a power cut leaves: the shim's journal replayed, and what was not synced lost at random.

A file keeps what was synced; of what was written since, each sector is there or not. A name
that was made, renamed or removed since its folder was synced is the new one or the old one.
A write whose sync failed may never become durable: a later sync does not bring it back.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_HEAD = struct.Struct("<IIQqqIIII")
CREATE, WRITE, TRUNCATE, SYNC_START, SYNC_END, SYNC_FAILED, RENAME, UNLINK, MKDIR, FAULT = range(
    1, 11
)
_SECTOR = 512


class Record(NamedTuple):
    """One line of the journal."""

    kind: int
    process: int
    inode: int
    offset: int
    moment: float
    is_folder: bool
    path: str
    other: str
    data: bytes


def read_journal(path: Path) -> Iterator[Record]:
    """Yield what was done to the disk, in the order it was done."""
    journal = path.read_bytes()
    at = 0
    while at < len(journal):
        kind, process, inode, offset, nanoseconds, is_folder, *lengths = _HEAD.unpack_from(
            journal, at
        )
        at += _HEAD.size
        parts = []
        for length in lengths:
            parts.append(journal[at : at + length])
            at += length
        moment = nanoseconds / 1e9
        first, other, data = parts[0].decode(), parts[1].decode(), parts[2]
        yield Record(kind, process, inode, offset, moment, bool(is_folder), first, other, data)


@dataclass(eq=False)
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Record] = field(default_factory=list)

    def after_a_cut(self, chance: random.Random, keep: float) -> bytes:
        content = bytearray(self.durable)
        for change in self.pending:
            if change.kind == WRITE:
                _write_sectors(content, change, chance, keep)
            elif chance.random() < keep:
                _truncate(content, change.offset)
        return bytes(content)

    def sync(self, changes: list[Record]) -> None:
        for change in changes:
            if change.kind == WRITE:
                content = self.durable
                content.extend(bytes(max(0, change.offset - len(content))))
                content[change.offset : change.offset + len(change.data)] = change.data
            else:
                _truncate(self.durable, change.offset)
        self.forget(changes)

    def forget(self, changes: list[Record]) -> None:
        known = set(map(id, changes))
        self.pending = [change for change in self.pending if id(change) not in known]


class Disk:
    """A folder, as it was written and as it is sure to be."""

    def __init__(self, root: str) -> None:
        """Start empty."""
        self._root = root
        self._files: dict[int, _File] = {}
        self._names: dict[str, _File] = {}
        self._folders: set[str] = set()
        self._durable_folders: set[str] = set()
        self._durable_names: dict[str, _File] = {}
        self._renamed: list[tuple[str, str | None, _File]] = []
        self._syncing: dict[tuple[int, int, str], list[object]] = {}

    def adopt(self) -> None:
        """Take what is in the folder now for something that is on the disk."""
        for path in Path(self._root).rglob("*"):
            if path.is_dir():
                self._folders.add(str(path))
                self._durable_folders.add(str(path))
            else:
                file = _File(bytearray(path.read_bytes()))
                self._files[path.stat().st_ino] = file
                self._names[str(path)] = self._durable_names[str(path)] = file

    def apply(self, record: Record) -> None:
        """Do what the process did."""
        match record.kind:
            case 1:
                self._files[record.inode] = self._names[record.path] = file = _File()
                self._renamed.append((record.path, None, file))
            case 2 | 3:
                if file := self._files.get(record.inode):
                    file.pending.append(record)
            case 4 | 5 | 6:
                self._sync(record)
            case 7:
                self._rename(record.path, record.other)
            case 8:
                if file := self._names.pop(record.path, None):
                    self._renamed.append(("", record.path, file))
            case 9:
                self._folders.add(record.path)

    def _rename(self, old: str, new: str) -> None:
        if file := self._names.pop(old, None):
            self._names[new] = file
            self._renamed.append((new, old, file))

    def _sync(self, record: Record) -> None:
        key = (record.process, record.inode, record.path)
        if record.kind == SYNC_START:
            self._syncing[key] = self._pending_of(record)
            return
        done = self._syncing.pop(key, [])
        file = self._files.get(record.inode)
        if record.is_folder:
            if record.kind == SYNC_END:
                self._sync_folder(done)
        elif file and record.kind == SYNC_END:
            file.sync(done)
        elif file:
            file.forget(done)

    def _pending_of(self, record: Record) -> list[object]:
        if not record.is_folder:
            file = self._files.get(record.inode)
            return list(file.pending) if file else []
        folders = [path for path in self._folders if _parent(path) == record.path]
        names = [one for one in self._renamed if _parent(one[0] or one[1] or "") == record.path]
        return [*folders, *names]

    def _sync_folder(self, done: list[object]) -> None:
        for one in done:
            if isinstance(one, str):
                self._durable_folders.add(one)
            elif one in self._renamed:
                _take_name(self._durable_names, one)
        self._renamed = [one for one in self._renamed if one not in done]

    def cut(self, chance: random.Random, keep: float) -> dict[str, bytes]:
        """Return what a power cut now leaves, by path below the folder.

        Args:
            chance: decides what is kept of what was not synced.
            keep: how likely each piece of that is kept; 0 is the worst case.
        """
        names = dict(self._durable_names)
        stuck: set[int] = set()
        for change in self._renamed:
            # The changes of one file's name happen in their order, or from some point on not.
            if id(change[2]) in stuck or chance.random() >= keep:
                stuck.add(id(change[2]))
            else:
                _take_name(names, change)
        lost = {
            folder for folder in self._folders - self._durable_folders if chance.random() >= keep
        }
        return {
            path.removeprefix(self._root + "/"): file.after_a_cut(chance, keep)
            for path, file in names.items()
            if not any(path.startswith(folder + "/") for folder in lost)
        }


def write_out(content: dict[str, bytes], folder: Path) -> None:
    """Put what a power cut left into a new folder, for what starts afterwards."""
    folder.mkdir(mode=0o700)
    for name, data in content.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)


def _take_name(names: dict[str, _File], change: tuple[str, str | None, _File]) -> None:
    new, old, file = change
    if old is not None:
        names.pop(old, None)
    if new:
        names[new] = file


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _truncate(content: bytearray, length: int) -> None:
    if length < len(content):
        del content[length:]
    else:
        content.extend(bytes(length - len(content)))


def _write_sectors(content: bytearray, change: Record, chance: random.Random, keep: float) -> None:
    """Write the sectors of a change that are kept; one that is not is a hole of NULs, or no end."""
    for start in range(0, len(change.data), _SECTOR):
        if chance.random() >= keep:
            continue
        piece = change.data[start : start + _SECTOR]
        at = change.offset + start
        content.extend(bytes(max(0, at - len(content))))
        content[at : at + len(piece)] = piece
