"""Where the files of past loads are: in `loaded/`, or in an archive of their hour."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

from orchestration.loading.archive import (
    LOADED,
    DamagedArchiveError,
    archives_of_hour,
    hour_of,
    read_archive,
)
from orchestration.loading.landed_file import LandedFile

log = logging.getLogger(__name__)


def read_kept(landing: Path, files: Collection[str]) -> Iterator[tuple[LandedFile, bytes]]:
    """Read files that were loaded, hour by hour, each once, wherever they are by now.

    Those that are nowhere are left out, or behind the damage in an archive, which is logged.

    Args:
        landing: The landing folder.
        files: `<call>/<name>` of each.
    """
    by_hour: dict[tuple[str, str], set[str]] = defaultdict(set)
    for file in files:
        call, _, name = file.partition("/")
        by_hour[hour_of(name), call].add(name)
    for (hour, call), names in sorted(by_hour.items()):
        yield from _read_hour(landing, call, hour, names)


def _read_hour(
    landing: Path, call: str, hour: str, names: set[str]
) -> Iterator[tuple[LandedFile, bytes]]:
    missing = set(names)
    for _ in range(2):  # a file may be packed between the one look and the other
        for name in sorted(missing):
            for folder in (landing / LOADED / call, landing / call):
                try:
                    data = (folder / name).read_bytes()
                except FileNotFoundError:
                    continue
                missing.discard(name)
                yield LandedFile(folder / name, call), data
                break
        for archive in archives_of_hour(landing, call, hour) if missing else ():
            try:
                for name, data in read_archive(archive):
                    if name in missing:
                        missing.discard(name)
                        yield LandedFile(archive / name, call), data
            except FileNotFoundError:
                continue  # it has expired since it was listed
            except DamagedArchiveError as damage:
                log.error("%s. What comes behind the damage is not read.", damage)  # noqa: TRY400
