"""A last look for an id in what an erasure does not rewrite: logs and Dagster's storage."""

import os
from collections.abc import Iterator
from pathlib import Path

from orchestration import dagster_database
from orchestration.loading.people import People
from orchestration.models import run
from orchestration.settings import Settings
from orchestration.warehouse.catalogs import catalog_of

_PIECE = 1 << 22
_OVERLAP = 1 << 12


def search(settings: Settings, people: People) -> list[str]:
    """The files of the catalog, of Dagster and of dbt that hold an id of these people, as bytes."""
    catalog = catalog_of(settings)
    folders = [*catalog.folders, settings.dagster_home, *run.folders_by_hand()]
    files = {path.resolve() for folder in folders for path in _files(folder)}
    found = [
        str(path)
        for path in files
        if path.is_file() and path.suffix != ".parquet" and _holds(path, people)
    ]
    found += catalog.search(people.stand_in)
    return sorted([*found, *dagster_database.search(settings, people.stand_in)])


def _files(folder: Path) -> Iterator[Path]:
    # not `rglob`, which fails if a folder goes meanwhile, as those of Dagster's runs do
    for above, _, names in os.walk(folder):
        yield from (Path(above, name) for name in names)


def _holds(path: Path, people: People) -> bool:
    try:
        return any(people.stand_in(piece) for piece in _pieces(path))
    except FileNotFoundError:
        return False  # a log that went in the meantime


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        tail = b""
        while piece := file.read(_PIECE):
            yield tail + piece
            tail = piece[-_OVERLAP:]
