"""The files that were packed before they were settled: which archive has each, and as what."""

import hashlib
import threading
from pathlib import Path
from typing import NamedTuple

from orchestration.loading.archive import (
    DamagedArchiveError,
    archives_of_hour,
    hour_of,
    read_archive,
)
from orchestration.remote.known import FileState


class _Contents(NamedTuple):
    state: FileState
    files: dict[str, str]
    """Name → SHA-256."""
    damage: DamagedArchiveError | None
    """What keeps what comes behind it from being read."""


class PackedFiles:
    """Reads each archive once, for as long as nobody writes it anew.

    Attributes:
        one_at_a_time: of the threads that share it; who calls holds it.
    """

    def __init__(self, landing: Path) -> None:
        """Begin with none read."""
        self._landing = landing
        self._read: dict[Path, _Contents] = {}
        self.one_at_a_time = threading.Lock()

    def find(self, call: str, name: str) -> tuple[Path, str] | None:
        """Find a file; return its archive and its SHA-256.

        Raises:
            DamagedArchiveError: it may be in an archive that cannot be read to its end.
            OSError: likewise.
        """
        for archive in archives_of_hour(self._landing, call, hour_of(name)):
            contents = self._contents(archive)
            if sha256 := contents.files.get(name):
                return archive, sha256
            if contents.damage:
                raise contents.damage
        return None

    def _contents(self, archive: Path) -> _Contents:
        state = FileState.of(archive.stat())
        known = self._read.get(archive)
        if known and known.state == state:
            return known
        files: dict[str, str] = {}
        damage = None
        try:
            for name, data in read_archive(archive):
                files[name] = hashlib.sha256(data).hexdigest()
        except DamagedArchiveError as error:
            damage = error
        self._read[archive] = _Contents(state, files, damage)
        return self._read[archive]
