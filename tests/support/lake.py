"""A warehouse that landed files are loaded into and dbt runs on, as in the house."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestration.loading.load import load
from orchestration.settings import Settings
from tests.support import landed
from tests.support.duckdb_config import reading
from tests.support.forked import run_dbt
from tests.support.made_house import move_in

TABLES = ("alias", "group", "identify", "page", "screen", "track")


@dataclass
class Lake:
    """An empty house in a folder of its own. dbt runs as a process, which gives the lock back."""

    settings: Settings
    scratch: Path
    target: Path

    def land(self, call: str, *lines: bytes) -> Path:
        """A sealed file of such lines."""
        return landed.land(self.settings.landing, call, *lines)

    def load(self) -> None:
        """Load what is sealed."""
        load(self.settings)

    def dbt(self, *arguments: str) -> str:
        """Run dbt; it has to succeed.

        Returns:
            What it printed.
        """
        status, printed = run_dbt(
            arguments,
            os.environ
            | {
                "SEAMLINE_LANDING": str(self.settings.landing),
                "SEAMLINE_WAREHOUSE": self.settings.warehouse,
                "SEAMLINE_INTEGRATION_NAME": self.settings.integration_name,
                "SEAMLINE_COLUMNS": str(self.scratch / "columns.yml"),
                "DBT_TARGET_PATH": str(self.target),
                "DBT_LOG_PATH": str(self.scratch / "logs"),
                "DBT_USE_COLORS": "false",
                "DBT_WRITE_JSON": "false",
            },
            self.scratch / "dbt-output",
        )
        assert status == 0, printed
        return printed

    def rows(self, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """The answer to a query."""
        with reading(self.settings) as con:
            return con.execute(sql, parameters).fetchall()

    def tables(self, names: tuple[str, ...] = TABLES) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of the final tables, every column."""
        return {
            table: self.rows(f'select * from segment."{table}" order by message_id')
            for table in names
        }

    def snapshots(self) -> int:
        """How many times the lake was written to."""
        ((count,),) = self.rows("select max(snapshot_id) from ducklake_snapshots('seamline')")
        return int(count)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, dbt_target: Path) -> Lake:
    """An empty house that the tests of a module share."""
    folder = tmp_path_factory.mktemp("lake")
    settings = Settings(
        landing=folder / "landing",
        warehouse=f"ducklake:sqlite:{folder}/warehouse/catalog.sqlite",
        integration_name="Segment",
    )
    return Lake(settings, folder, dbt_target)


@pytest.fixture(scope="module")
def built_lake(lake: Lake, prepared_house: Path) -> Lake:
    """The same house with all tables and views there, empty, as `make run` prepares them."""
    move_in(prepared_house, lake.scratch)
    return lake


@pytest.fixture(scope="session")
def dbt_target(tmp_path_factory: pytest.TempPathFactory, prepared_house: Path) -> Path:
    """A target folder of this process, with the project parsed."""
    folder = tmp_path_factory.mktemp("dbt") / "target"
    move_in(prepared_house / "dagster" / "dbt" / "target", folder)
    return folder
