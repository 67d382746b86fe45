"""A warehouse that landed files are loaded into and dbt runs on, as in the house."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import landed
import pytest

from orchestration.loading.load import load
from orchestration.loading.warehouse import connect
from orchestration.settings import ROOT, Settings

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
        done = subprocess.run(
            [
                *(sys.executable, "-m", "dbt.cli.main", *arguments),
                *("--project-dir", "dbt_project", "--profiles-dir", "."),
            ],
            cwd=ROOT,
            env=os.environ
            | {
                "SEAMLINE_WAREHOUSE": self.settings.warehouse,
                "SEAMLINE_INTEGRATION_NAME": self.settings.integration_name,
                "SEAMLINE_COLUMNS": str(self.scratch / "columns.yml"),
                "DBT_TARGET_PATH": str(self.target),
                "DBT_LOG_PATH": str(self.scratch / "logs"),
                "DBT_USE_COLORS": "false",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def rows(self, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """The answer to a query."""
        with connect(self.settings, read_only=True) as con:
            return con.execute(sql, parameters).fetchall()

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every final table, every column."""
        return {
            table: self.rows(f'select * from segment."{table}" order by message_id')
            for table in TABLES
        }

    def snapshots(self) -> int:
        """How many times the lake was written to."""
        ((count,),) = self.rows("select max(snapshot_id) from ducklake_snapshots('seamline')")
        return int(count)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """An empty house that the tests of a module share."""
    folder = tmp_path_factory.mktemp("lake")
    settings = Settings(
        landing=folder / "landing",
        warehouse=f"ducklake:sqlite:{folder}/warehouse/catalog.sqlite",
        integration_name="Segment",
    )
    # shared, so that the project is parsed once
    return Lake(settings, folder, tmp_path_factory.getbasetemp() / "dbt-target")
