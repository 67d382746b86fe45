"""How many bytes an event takes, beside its JSON, once upkeep has been there."""

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.passes import Pass, run, settings_of
from orchestration.warehouse.catalog import CATALOG, number
from orchestration.warehouse.connection import connect


@dataclass
class Stored:
    """Bytes of all events.

    Attributes:
        landing: of files that wait to be packed, and the journal.
        archive: of the packed ones.
        raw: of the raw tables as they are now.
        final: of all other tables.
        catalog: of the catalog.
        upkeep: what packing and tidying up took.
    """

    landing: int
    archive: int
    raw: int
    final: int
    catalog: int
    upkeep: Pass

    @property
    def whole(self) -> int:
        """All of it."""
        return self.landing + self.archive + self.raw + self.final + self.catalog


def measure(folder: Path) -> Stored:
    """Do the upkeep of an installation, and weigh it."""
    upkeep = run([sys.executable, "-m", "orchestration", "upkeep"], folder)
    settings = settings_of(folder)
    archive = _bytes(settings.landing / "archive")
    with connect(settings, read_only=True) as con:
        raw, final = (
            number(
                con,
                f"""
                select sum(files.file_size_bytes)
                from {CATALOG}.ducklake_data_file as files
                join {CATALOG}.ducklake_table as tables using (table_id)
                join {CATALOG}.ducklake_schema as schemas using (schema_id)
                where files.end_snapshot is null and tables.end_snapshot is null
                    and (schema_name = 'raw') = $1
                """,
                is_raw,
            )
            for is_raw in (True, False)
        )
    return Stored(
        landing=_bytes(settings.landing) - archive,
        archive=archive,
        raw=raw,
        final=final,
        catalog=settings.catalog.stat().st_size,
        upkeep=upkeep,
    )


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
