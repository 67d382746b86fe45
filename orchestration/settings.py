"""The settings of the loader, Dagster and dbt, read once."""

import re
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    HttpUrl,
    PlainValidator,
    TypeAdapter,
    ValidationInfo,
)
from pydantic_settings import NoDecode

from landed.settings import (
    MB,
    Count,
    Days,
    Hours,
    Port,
    RootedFile,
    RootedPath,
    Seconds,
    Share,
    SharedSettings,
    Size,
    StoreAddress,
    YesOrNo,
    has_to_be,
    schema_of,
)

SQLITE_CATALOG = "ducklake:sqlite:"
POSTGRES_CATALOG = "ducklake:postgres:"

_FILE: TypeAdapter[Path] = TypeAdapter(RootedFile)
_FOLDER: TypeAdapter[Path] = TypeAdapter(RootedPath)


def _known_catalog(warehouse: str) -> str:
    if warehouse.startswith(POSTGRES_CATALOG):
        _known_database(warehouse.removeprefix(POSTGRES_CATALOG))
    elif warehouse.startswith(SQLITE_CATALOG):
        _FILE.validate_python(warehouse.removeprefix(SQLITE_CATALOG))
    else:
        raise ValueError("is no catalog that we know")
    return warehouse


def connection_values(address: str) -> dict[str, str]:
    """What a connection string or URI of libpq's says, each by its name.

    Raises:
        ValueError: it is neither.
    """
    import psycopg  # noqa: PLC0415 - only for who has a catalog there
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        said = conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        raise ValueError("is no connection string, and no URI, of PostgreSQL") from None
    return {name: str(value) for name, value in said.items() if value != ""}


_ELSEWHERE = ("sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
"""Secrets of libpq's that DuckDB would show, as only a password can be kept from what it shows."""

_AND_NONE = f"without {', '.join(_ELSEWHERE)}, which a service file may hold"


def _known_database(address: str) -> str:
    said = connection_values(address)
    if not said:
        raise ValueError("says nothing of where PostgreSQL is")
    if not said.keys().isdisjoint(_ELSEWHERE):
        raise ValueError("has a secret that would be shown")
    return address


Catalog = Annotated[
    str,
    Field(repr=False),
    AfterValidator(_known_catalog),
    has_to_be(
        f"{SQLITE_CATALOG}<path of the catalog's file on this machine, without blanks around it> "
        f"or {POSTGRES_CATALOG}<connection string or URI of PostgreSQL>, {_AND_NONE}",
        is_shown=False,
    ),
]


_SECRET = {"password", "passfile", *_ELSEWHERE}


def shown(address: str) -> str:
    """What may be shown of a connection string or URI of libpq's."""
    said = connection_values(address)
    return " ".join(f"{name}={value}" for name, value in said.items() if name not in _SECRET)


def _small_names(value: object) -> object:
    return [part.strip().lower() for part in value.split(",")] if isinstance(value, str) else value


Address = Annotated[
    str,
    AfterValidator(lambda value: str(ip_address(value))),
    has_to_be("an IP address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them"),
]
_Name = Annotated[
    str, Field(pattern=r"^[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?$|^[0-9a-f]*(:[0-9a-f]*){2,7}$")
]
Names = Annotated[
    tuple[_Name, ...] | None,
    NoDecode,
    BeforeValidator(_small_names),
    has_to_be("names without a port and with commas between, such as dagster.example.com"),
]


Webhook = Annotated[
    HttpUrl | None,
    has_to_be("an address that begins with https:// or http://", is_shown=False),
]


_STORE: TypeAdapter[str] = TypeAdapter(StoreAddress)


def _place(value: object) -> object:
    if isinstance(value, str) and "://" in value:
        return _STORE.validate_python(value)
    return _FOLDER.validate_python(value)


Place = Annotated[
    Path | str,
    PlainValidator(_place),
    has_to_be(
        "the path of a folder, or s3://, gs:// or az:// and a bucket, with or without a prefix, "
        "and no key in it",
        is_shown=False,
    ),
]


Database = Annotated[
    str,
    AfterValidator(_known_database),
    has_to_be(
        "a connection string or URI of PostgreSQL, such as postgresql://me@db.example.com/mine, "
        f"{_AND_NONE}",
        is_shown=False,
    ),
]


def _known_uri(address: str) -> str:
    if not address.startswith("postgresql://"):
        raise ValueError("is no URI of PostgreSQL")
    return _known_database(address)


DagsterStorage = Annotated[
    str,
    AfterValidator(_known_uri),
    has_to_be(
        "a URI of PostgreSQL, such as postgresql://me@db.example.com/dagster", is_shown=False
    ),
]


BESIDE = "$rebuilding"
"""How the schema ends of a catalog that is made beside another, unlike that of any warehouse."""


def _names(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


_Owner = Annotated[
    str, Field(pattern=r"^team:[\w.-]+$|^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}$")
]
Page = Annotated[
    HttpUrl | None,
    has_to_be("an address that begins with https:// or http://"),
]

Owners = Annotated[
    tuple[_Owner, ...],
    NoDecode,
    BeforeValidator(_names),
    has_to_be("addresses or teams with commas between, such as ann@example.com or team:data"),
]

# Dagster takes no window below a minute, and half of it is one too
Window = Annotated[
    Hours,
    Field(ge=0.1),
    has_to_be("a number of hours from 0.1 on, such as 0.5 or 2, and a century at most"),
]


_Bucket = Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w.=-]+)*/?$")]
_Place = Annotated[
    RootedPath | _Bucket,
    has_to_be("a folder of this machine, without blanks around it, or s3://bucket/prefix"),
]


def _beside_the_catalog(data: Path | str | None, info: ValidationInfo) -> Path | str | None:
    if data is None and str(info.data.get("warehouse", "")).startswith(POSTGRES_CATALOG):
        raise ValueError(
            "has to be a folder or s3://bucket/prefix, which all who write and read see: there is "
            "none beside a catalog in PostgreSQL"
        )
    return data


Readers = Literal["owner", "group", "everybody"]


class Settings(SharedSettings):
    """What the loader, Dagster and dbt read, beside what all parts do."""

    warehouse: Catalog = "ducklake:sqlite:warehouse/catalog.sqlite"
    """The DuckLake's catalog."""

    catalog_schema: Annotated[
        str,
        Field(pattern=rf"^[a-z_][a-z0-9_]{{0,29}}({re.escape(BESIDE)})?$"),
        has_to_be("a name of at most 30 of a-z, 0-9 and _, that begins with no digit"),
    ] = "seamline"
    """The schema of the catalog's tables in a PostgreSQL database."""

    warehouse_data: Annotated[_Place | None, AfterValidator(_beside_the_catalog)] = None
    """Where the Parquet files are; in `data/` beside the catalog if not set."""

    warehouse_readers: Annotated[Readers, has_to_be("owner, group or everybody")] = "owner"
    """Which users of this machine may read the warehouse."""

    columns: RootedFile = Path("columns.yml")
    """What you say of columns: types, what to leave out or to hash. The file may be missing."""

    dagster_port: Port = 3000
    """The port of Dagster's webserver."""

    dagster_host: Address = "127.0.0.1"
    """The address it listens on; other than loopback's it needs a login."""

    dagster_names: Names = None
    """Names that Dagster's UI answers to, besides those of loopback and the address above."""

    dagster_login: RootedFile | None = None
    """A private file with a line `name:password`, which the UI then asks for."""

    dagster_home: RootedPath = Field(default=Path(".dagster"), validation_alias="DAGSTER_HOME")
    """Dagster's own folder: its runs, events and sensor ticks."""

    dagster_storage: Annotated[DagsterStorage | None, Field(repr=False)] = None
    """The PostgreSQL database of Dagster's runs, events and ticks; SQLite files if not set."""

    load_bytes: Size = ByteSize(128 * MB)
    """How many bytes of landed files one transaction takes at most (a larger file goes alone)."""

    delete_suppresses: YesOrNo = False
    """Whether a person whom a `delete` notification has erased is not stored again either."""

    delete_people: Count = 1_000
    """How many people each source's `delete` notifications erase in an hour; the others wait."""

    lock_seconds: Seconds = 600
    """How long a writer waits for the one before it."""

    quiet_seconds: Seconds = 60
    """How long a run of the load waits for more events before it ends."""

    archive_days: Days | None = None
    """How long archives of loaded files are kept; for ever if not set."""

    snapshot_days: Days = 7
    """How far back the tables can be queried as they were."""

    load_days: Days = 90
    """How long it is kept how soon each load was shown, and what its parts took."""

    query_hours: Hours = 1
    """The longest that a query, or a transaction for reading, may take."""

    run_days: Days = 2
    """How long Dagster keeps runs that went well."""

    failed_run_days: Days = 30
    """How long Dagster keeps runs that did not."""

    owners: Owners = ("team:data",)
    """Whom Dagster names as owners of what does not name its own."""

    code_url: Page = None
    """The page of your repository's files, to which Dagster links; the files here if not set."""

    alerts_url: Webhook = None
    """The address that is told of failed runs and of checks that fail, or pass again."""

    loaded_url: Webhook = None
    """The address that is told what each load has brought, as Stitch's post-load webhook tells."""

    export_parquet: Place | None = None
    """Where the final tables are exported to as Parquet files: a folder, or a bucket."""

    export_raw: Place | None = None
    """Where raw tables are exported to as Parquet files, for models that run on Apache Spark."""

    export_postgres: Annotated[Database | None, Field(repr=False)] = None
    """The PostgreSQL database that the final tables are exported to."""

    alarm_waiting_seconds: Seconds = 600
    """From when on it is an alarm that a sealed file waits."""

    alarm_free_share: Share = 0.1
    """Of a disk, what has to be free."""

    alarm_rejected_share: Share = 0.05
    """Of what a source sends in 24 hours, from when on rejects are an alarm."""

    alarm_duplicate_share: Share = 0.2
    """Of what a source sends in 24 hours, from when on copies are an alarm."""

    alarm_volume_share: Share = 0.3
    """Of what a source usually sends in an hour of the week, the least; the most is one divided
    by it."""

    alarm_clock_seconds: Seconds = 300
    """How far senders' clocks may be ahead."""

    alarm_columns_share: Share = 0.9
    """Of the columns that a table may have, from when on they are an alarm."""

    alarm_landing_hours: Window = 1
    """For how long nothing may have said that all that was landed is loaded."""

    alarm_upkeep_hours: Window = 3
    """For how long the hourly upkeep, and erasure, may not have been done."""

    @cached_property
    def catalog(self) -> Path:
        """The catalog's SQLite file, where it is one."""
        if self.postgres is not None:
            raise TypeError("the catalog is no file")
        return _FILE.validate_python(self.warehouse.removeprefix(SQLITE_CATALOG))

    @cached_property
    def postgres(self) -> str | None:
        """How to connect to the catalog's PostgreSQL, with a password if it has one, or nothing."""
        if not self.warehouse.startswith(POSTGRES_CATALOG):
            return None
        return self.warehouse.removeprefix(POSTGRES_CATALOG)

    @cached_property
    def place(self) -> str:
        """The catalog's place as people are told it, and by which it is told from others."""
        if self.postgres is None:
            return str(self.catalog)
        return f"PostgreSQL, {shown(self.postgres)} (schema {self.catalog_schema})"

    @cached_property
    def data_address(self) -> str:
        """Where the Parquet files are: a path or an address."""
        if isinstance(self.warehouse_data, str):
            return self.warehouse_data.rstrip("/")
        return str(self.warehouse_data or self.catalog.parent / "data")

    @cached_property
    def data(self) -> Path:
        """The folder of the Parquet files, where it is one."""
        if isinstance(self.warehouse_data, str):
            raise TypeError("the Parquet files are in no folder")
        return Path(self.data_address)

    @cached_property
    def schema_name(self) -> str:
        """The schema of the final tables: `Stitch Segment` → `stitch_segment`."""
        return schema_of(self.integration_name)
