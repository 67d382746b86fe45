"""What the stack's processes print, whole: a file each, which begins anew once it is large."""

import sys
from io import TextIOWrapper
from logging import LogRecord, makeLogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from threading import Lock

from landed.files import FOLDER_MODE

FILE_BYTES = 5 << 20
KEPT_FILES = 3
"""Of each process so many are kept beside the one that is written."""


class LogFiles:
    """The log files of the processes, in a folder; `<name>.log` is the newest of each."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is made with the first line."""
        self.folder = folder
        self._files: dict[str, _LogFile] = {}
        self._lock = Lock()

    def write(self, name: str, line: str) -> None:
        """Add a line of a process; where that cannot be, go on without."""
        with self._lock:
            if name not in self._files:
                self._files[name] = _LogFile(self.folder / f"{name}.log")
        self._files[name].handle(makeLogRecord({"msg": line}))


class _LogFile(RotatingFileHandler):
    """One of them."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            maxBytes=FILE_BYTES,
            backupCount=KEPT_FILES,
            encoding="utf-8",
            errors="replace",
            delay=True,
        )
        self._failed = False

    def _open(self) -> TextIOWrapper:
        """Open it, in a folder that is made unless it is there."""
        Path(self.baseFilename).parent.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: LogRecord) -> None:  # noqa: N802, ARG002 - logging's
        """Say once that nothing is written down any more, and why."""
        if not self._failed:
            self._failed = True
            print(f"{self.baseFilename} is not written: {sys.exc_info()[1]}", file=sys.stderr)  # noqa: T201
