"""What this room is told from outside: the environment or `.env`, read once."""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ByteSize, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[1]
"""The repository. Relative paths in settings are relative to it, whatever the working directory."""

SQLITE_CATALOG = "ducklake:sqlite:"


def _below_root(path: Path) -> Path:
    return ROOT / path.expanduser()


def _known_catalog(warehouse: str) -> str:
    if not warehouse.startswith(SQLITE_CATALOG) or warehouse == SQLITE_CATALOG:
        raise ValueError(f"must be {SQLITE_CATALOG}<path of the catalog file>, not {warehouse!r}")
    return warehouse


_OWN_SCHEMAS = {"raw", "columns", "main", "information_schema", "pg_catalog"}
_OWN_PARTS = ("_staging", "_warehouse")


def _schema_of(name: str) -> str:
    return re.sub("[^a-z0-9]+", "_", name.lower())


def _names_a_schema(name: str) -> str:
    if not re.search("[a-z]", name.lower()):
        raise ValueError(f"must hold a letter, as it names a schema; {name!r} does not")
    schema = _schema_of(name)
    if schema in _OWN_SCHEMAS or schema.endswith(_OWN_PARTS):
        raise ValueError(f"gives the schema {schema!r}, which is Seamline's own; choose another")
    return name


RootedPath = Annotated[Path, AfterValidator(_below_root)]


class Settings(BaseSettings):
    """Settings of the loader, Dagster and dbt. The README lists them for users."""

    model_config = SettingsConfigDict(
        env_prefix="SEAMLINE_",
        env_file=ROOT / ".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_default=True,
    )

    landing: RootedPath = Path("landing")
    """The folder the receiver lands files in."""

    warehouse: Annotated[str, AfterValidator(_known_catalog)] = (
        "ducklake:sqlite:warehouse/catalog.sqlite"
    )
    """The DuckLake's catalog."""

    warehouse_data: RootedPath | None = None
    """The folder of the Parquet files; `data/` beside the catalog if not set."""

    integration_name: Annotated[str, AfterValidator(_names_a_schema)] = "Segment"
    """The integration's name. Folded, it is the schema of the final tables."""

    columns: RootedPath = Path("columns.yml")
    """What you say of columns: types, what to leave out or to hash. The file may be missing."""

    dagster_port: Annotated[int, Field(ge=1, le=65535)] = 3000
    """The port of Dagster's webserver."""

    dagster_home: RootedPath = Field(default=Path(".dagster"), validation_alias="DAGSTER_HOME")
    """Dagster's own folder: its runs, events and sensor ticks."""

    load_bytes: Annotated[ByteSize, Field(ge=1)] = ByteSize(128 * 1024 * 1024)
    """How many bytes of landed files one transaction takes at most (a larger file goes alone)."""

    seal_seconds: Annotated[float, Field(gt=0)] = 2
    """The age at which the receiver seals a file: an erasure waits for those that are open."""

    delete_suppresses: bool = False
    """Whether a person whom a `delete` notification has erased is not stored again either."""

    lock_seconds: Annotated[float, Field(gt=0)] = 600
    """How long a writer waits for the one before it."""

    archive_days: Annotated[float, Field(gt=0)] | None = None
    """How long archives of loaded files are kept; for ever if not set."""

    snapshot_days: Annotated[float, Field(gt=0)] = 7
    """How far back the tables can be queried as they were."""

    query_hours: Annotated[float, Field(gt=0)] = 1
    """The longest that a query, or a transaction for reading, may take."""

    run_days: Annotated[float, Field(gt=0)] = 2
    """How long Dagster keeps runs that went well."""

    failed_run_days: Annotated[float, Field(gt=0)] = 30
    """How long Dagster keeps runs that did not, and its ticks."""

    @cached_property
    def catalog(self) -> Path:
        """The catalog's SQLite file."""
        return _below_root(Path(self.warehouse.removeprefix(SQLITE_CATALOG)))

    @cached_property
    def data(self) -> Path:
        """The folder of the Parquet files."""
        return self.warehouse_data or self.catalog.parent / "data"

    @cached_property
    def schema_name(self) -> str:
        """The schema of the final tables: `Stitch Segment` → `stitch_segment`."""
        return _schema_of(self.integration_name)
