"""What dbt needs to work on the warehouse; profiles.yml names this module as a plugin."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt.adapters.duckdb.credentials import Attachment, DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig
from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError
from duckdb import DuckDBPyConnection
from filelock import FileLock

from orchestration.columns.rules import (
    ColumnRulesError,
    put_in_force,
    read_rules,
    rules_in_force,
)
from orchestration.columns.update import create_column_tables, has_tables, update_placement
from orchestration.loading import warehouse, writer_lock
from orchestration.loading.durable import NewFiles
from orchestration.loading.lake import DATABASE
from orchestration.loading.load import WarehouseBehindError, refuse_if_behind
from orchestration.loading.tables import create_raw_tables
from orchestration.schema_name import SchemaMovedError, refuse_another_name
from orchestration.settings import Settings

log = logging.getLogger(__name__)

WRITING = {"build", "retry", "run"}
"""dbt's commands that build models."""

_held: list[FileLock] = []
_is_renaming: list[bool] = []
_is_rebuilding: list[bool] = []


@contextmanager
def renaming() -> Iterator[None]:
    """Let dbt build tables under a new name beside those of the old one."""
    _is_renaming.append(True)
    try:
        yield
    finally:
        _is_renaming.pop()


@contextmanager
def rebuilding() -> Iterator[None]:
    """Let dbt work on a warehouse that is made beside one that lacks loads."""
    _is_rebuilding.append(True)
    try:
        yield
    finally:
        _is_rebuilding.pop()


def release() -> None:
    """Give the writer's place back once dbt has ended, where the process goes on."""
    while _held:
        _held.pop().release()


class Plugin(BasePlugin):
    """Attach the lake as the settings say, and be the one writer while dbt runs."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002 - dbt-duckdb's
        """Take the writer's place; `release` or the end of the process gives it back."""
        settings = Settings()
        credentials = self.creds
        if credentials is None:
            raise DbtRuntimeError("dbt-duckdb gave the plugin no credentials")
        _refuse_another_schema(settings, credentials)
        _refuse_more_threads()
        try:
            _held.append(writer_lock.take(settings))
        except writer_lock.WriterBusyError as busy:
            raise DbtRuntimeError(str(busy)) from busy
        try:
            _place_fields(settings)
        except (SchemaMovedError, WarehouseBehindError) as error:
            release()
            raise DbtRuntimeError(str(error)) from error
        except BaseException:
            release()  # dbt tries once more, and would wait for itself
            raise
        self._files = NewFiles(settings.data)
        credentials.attach = [
            Attachment(
                path=f"ducklake:sqlite:{settings.catalog}",
                alias=DATABASE,
                options=warehouse.attach_options(settings),
            )
        ]

    def update_connection_config(
        self,
        creds: DuckDBCredentials,  # noqa: ARG002 - dbt-duckdb's
        config: dict[str, Any],
    ) -> None:
        """Let DuckDB look for its extensions in the environment only."""
        config.update(warehouse.CONFIG)

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Load the extensions before dbt attaches."""
        warehouse.load_extensions(conn)

    def store(self, target_config: TargetConfig) -> None:  # noqa: ARG002 - dbt-duckdb's
        """Bring to the disk what a model has written; macros/sync_new_files.sql calls it."""
        self._files.sync()


def _place_fields(settings: Settings) -> None:
    """Place what was seen; rules that have changed come into force with a full refresh."""
    try:
        wanted = read_rules(settings.columns)
    except ColumnRulesError as error:
        raise DbtRuntimeError(str(error)) from error
    flags = get_flags()  # type: ignore[no-untyped-call]
    is_all_anew = bool(flags.FULL_REFRESH) and not (flags.SELECT or flags.EXCLUDE)
    with warehouse.connect(settings) as con:
        create_raw_tables(con)
        if not _is_rebuilding:
            # increments go by the number of a load, and lower ones are still to come
            refuse_if_behind(con, settings)
        if not _is_renaming:
            refuse_another_name(con, settings)
        create_column_tables(con)
        rules = rules_in_force(con)
        if rules != wanted and (is_all_anew or not has_tables(con, settings.schema_name)):
            put_in_force(con, wanted)
            rules = wanted
        elif rules != wanted:
            log.warning(
                "%s has changed since the tables were built, and they go on as they are. It comes "
                "into force with `dbt run --full-refresh`, of all models.",
                settings.columns,
            )
        update_placement(con, rules)


def _refuse_more_threads() -> None:
    """Models that write at once fail at DuckLake's commit, or crash.

    docs/decisions/0002-warehouse.md says more.
    """
    flags = get_flags()  # type: ignore[no-untyped-call]
    if (flags.THREADS or 1) > 1 and flags.WHICH in WRITING:
        raise DbtRuntimeError(
            f"dbt writes to the warehouse with one thread, not {flags.THREADS}: leave --threads "
            "away. Nothing was changed."
        )


def _refuse_another_schema(settings: Settings, credentials: DuckDBCredentials) -> None:
    """Dbt does not read `.env`; say so before it builds into a schema nobody asked for."""
    if credentials.schema.partition("_staging")[0] != settings.schema_name:
        raise DbtRuntimeError(
            f"The schema would be {credentials.schema!r}, but SEAMLINE_INTEGRATION_NAME is "
            f"{settings.integration_name!r} in .env, which gives {settings.schema_name!r}. "
            "dbt reads the environment only: export SEAMLINE_INTEGRATION_NAME and run it again."
        )
