"""Leftovers: imports that were interrupted and that nobody will ask for again."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from receiver.importing.errors import FileError
from receiver.importing.journal import Place, State
from receiver.importing.one_file import land
from receiver.importing.origins import Origin


def tidy(imports: Path, landing: Path, wanted: Mapping[str, Origin]) -> None:
    """Land what was read to its end, and remove what was begun of a file that has changed since.

    Args:
        imports: the folder of the journals.
        landing: the landing folder.
        wanted: the files to import now, by their keys: they are left alone.
    """
    addresses = {origin.address for origin in wanted.values()}
    for place in list(_unfinished(imports)):
        if place.key in wanted:
            continue
        with contextlib.suppress(FileError), place.claimed():
            _tidy(place, landing, addresses)


def _tidy(place: Place, landing: Path, addresses: set[str]) -> None:
    journal = place.journal()
    if journal is None:
        place.forget()
    elif journal.state is not State.READING:
        land(place, journal, landing)
    elif journal.address in addresses:
        place.forget()


def _unfinished(imports: Path) -> Iterator[Place]:
    return (Place(imports, path.name) for path in imports.iterdir() if path.is_dir())
