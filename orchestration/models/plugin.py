"""What dbt needs to work on the warehouse; profiles.yml names this module as a plugin."""

from contextlib import closing
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.credentials import Attachment, DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig
from dbt_common.exceptions import DbtRuntimeError
from duckdb import DataError, DuckDBPyConnection, ProgrammingError

from orchestration.models import beside, command
from orchestration.settings import Settings
from orchestration.warehouse import connection
from orchestration.warehouse.catalog import DATABASE
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.data_places import place_at
from orchestration.warehouse.errors import WarehouseMissingError, WarehouseUnusableError


class Plugin(BasePlugin):
    """Attach the lake as the settings say: for reading, unless the command is the writer."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002 - dbt-duckdb's
        """Say where the lake is; dbt attaches it when it connects."""
        self._settings = settings = command.read_settings()
        credentials = self.creds
        if credentials is None:
            raise DbtRuntimeError("dbt-duckdb gave the plugin no credentials")
        if not command.only_connects():
            _refuse_another_schema(settings, credentials)
        is_writing = command.is_writing()
        if is_writing:
            connection.create_catalog(settings)
        try:
            self._opened = catalog_of(settings).to_open(read_only=not is_writing)
        except (WarehouseMissingError, WarehouseUnusableError) as error:
            raise DbtRuntimeError(str(error)) from error
        self._files = place_at(settings.data_address).new_files() if is_writing else None
        if is_writing and connection.is_shared(settings):
            credentials.path = connection.SHARED  # where the lake is attached already
            credentials.keep_open = True
        credentials.attach = [
            Attachment(
                path=f"ducklake:{self._opened.address}",
                alias=DATABASE,
                read_only=not is_writing,
                options=connection.attach_options(settings),
            )
        ]

    def update_connection_config(
        self,
        creds: DuckDBCredentials,  # noqa: ARG002 - dbt-duckdb's
        config: dict[str, Any],
    ) -> None:
        """Let DuckDB look for its extensions in the environment only."""
        config.update(connection.CONFIG)

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Load the extensions before dbt attaches."""
        connection.load_extensions(conn)
        connection.prepare_session(conn, self._settings)

    def store(self, target_config: TargetConfig) -> None:
        """What macros need Python for, as dbt-duckdb has no other way to call a plugin.

        Bring to the disk what a model has written (macros/sync_new_files.sql), compute it beside
        loads (macros/create_table_as.sql), or ask which views cannot be made (macros/view_set.sql).
        """
        asked = target_config.config
        if views := asked.get("views"):
            asked["refused"] = _refused(views)
        elif query := asked.get("compute"):
            if writer := command.pausing():
                beside.compute(self._settings, writer, target_config.relation, query)
                asked["computed"] = beside.COMPUTED
        elif self._files:
            self._files.sync()


def _refused(views: dict[str, list[str]]) -> dict[str, str]:
    """Make views, each by its statements, and take all back; name those that failed, and why."""
    refused = {}
    session = DuckDBConnectionManager.env().handle()  # type: ignore[no-untyped-call]
    with closing(session) as handle:
        cursor = handle.cursor()
        cursor.execute("begin")
        try:
            for name, statements in views.items():
                try:
                    cursor.execute(statements[0])
                except (ProgrammingError, DataError) as error:
                    refused[name] = str(error).partition("\n")[0]
        finally:
            cursor.execute("rollback")
    return refused


def _refuse_another_schema(settings: Settings, credentials: DuckDBCredentials) -> None:
    """A profile may say what it likes; say so before dbt builds into a schema nobody asked for."""
    if credentials.schema.partition("_staging")[0] != settings.schema_name:
        raise DbtRuntimeError(
            f"The schema would be {credentials.schema!r}, but SEAMLINE_INTEGRATION_NAME is "
            f"{settings.integration_name!r}, which gives {settings.schema_name!r}. Nothing was "
            "changed. Let the profile say `schema` as profiles.yml does, and where another "
            f"project uses it, export {command.INTEGRATION_NAME}: dbt does not read .env."
        )
