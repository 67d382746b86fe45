"""A house: an installation in a folder of a test's own, and what can be done with it.

What makes a warehouse costs more than many a test, so it is made once and copied.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from filelock import FileLock

from landed.folders import CALLS
from landed.settings import ROOT
from orchestration.audit.verify import verify
from orchestration.columns.update import create_column_tables
from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect, create_warehouse
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import forked, landed, postgres, warehouse
from tests.support.processes import plain_environment

TABLES = ("alias", "group", "identify", "page", "screen", "track")


class House:
    """A landing folder, a warehouse, Dagster's folder, and the settings that lead there.

    Attributes:
        folder: where all of it is.
        settings: what code in the test's process is given.
        environment: the same for other processes, which are to know nothing else of a house.
    """

    def __init__(self, folder: Path, **others: object) -> None:
        """Choose the places; nothing is made.

        Args:
            folder: where landing/, warehouse/ and dagster/ are or come.
            others: settings other than the defaults.
        """
        self.folder = folder
        self._others = others
        values: dict[str, Any] = {
            "landing": folder / "landing",
            **postgres.settings_in(folder),
            "sources": folder / "sources.toml",
            "columns": folder / "columns.yml",
        } | others
        home = {"DAGSTER_HOME": folder / "dagster"}
        self.settings = Settings(**values, **home)
        named = {f"SEAMLINE_{name.upper()}": value for name, value in values.items()} | home
        self.environment = {name: str(value) for name, value in named.items()}

    @property
    def landing(self) -> Path:
        """Its landing folder."""
        return self.settings.landing

    def at(self, folder: Path) -> "House":
        """A house with the same settings in another folder, with what is there."""
        return House(folder, **self._others)

    def copy(self, folder: Path) -> "House":
        """A house with the same files and rows in another folder; Dagster's is not copied."""
        for part in ("landing", "warehouse"):
            shutil.copytree(self.folder / part, folder / part)
        postgres.copy_catalog(self.folder, folder)
        return self.at(folder)

    def move_in(self, made: Path) -> Self:
        """Take over what another folder has; the times of the files and links stay."""
        shutil.copytree(made, self.folder, symlinks=True, dirs_exist_ok=True)
        postgres.copy_catalog(made, self.folder)
        return self

    def put_into(self, environment: pytest.MonkeyPatch) -> None:
        """Let the environment of this process lead here."""
        for name, value in self.environment.items():
            environment.setenv(name, value)

    def land(self, call: str, *lines: bytes, name: str | None = None) -> Path:
        """A sealed file of such lines."""
        return landed.land(self.landing, call, *lines, name=name)

    def load(self) -> None:
        """Load what is sealed."""
        load(self.settings)

    def models(self, *tables: str) -> None:
        """Bring final tables up to date, all if none is named, but not the views on them."""
        names = [name for table in tables or TABLES for name in (f"stg_segment__{table}", table)]
        forked.run_models(names, self.environment)

    def dbt(self, *arguments: str) -> str:
        """Run dbt; it has to succeed.

        Returns:
            What it printed.
        """
        status, printed = self.try_dbt(*arguments)
        assert status == 0, printed
        return printed

    def try_dbt(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run dbt in a process, which gives the lock back; return status and output."""
        own = {
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "DBT_USE_COLORS": "false",
            "DBT_WRITE_JSON": "false",
        }
        known = os.environ | self.environment | own | environment
        return forked.run_dbt(arguments, known, self.folder / "dbt-output")

    def run(self, *arguments: str) -> str:
        """Run `python -m orchestration`, as `make` does; it has to succeed.

        Returns:
            What it printed.
        """
        status, printed = self.try_run(*arguments)
        assert status == 0, printed
        return printed

    def try_run(self, *arguments: str) -> tuple[int, str]:
        """Run the same to its end; return status and output."""
        done = forked.run_command(arguments, plain_environment() | self.environment)
        return done.returncode, done.stdout + done.stderr

    def command(self, *arguments: str, **popen: Any) -> subprocess.Popen[str]:
        """Start the same as a process, which may be killed."""
        return subprocess.Popen(
            [sys.executable, "-m", "orchestration", *arguments],
            cwd=ROOT,
            env=plain_environment() | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **popen,
        )

    def rows(self, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """The answer to a query."""
        return warehouse.rows(self.settings, sql, parameters)

    def tables(self, names: tuple[str, ...] = TABLES) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of the final tables, every column."""
        return {
            table: self.rows(f'select * from segment."{table}" order by message_id')
            for table in names
        }

    def hashes(self) -> dict[str, set[tuple[Any, ...]]]:
        """A hash of each row of each final and raw table, beside what it is known by."""
        final = 'select message_id, hash(t) from segment."{}" as t'
        raw = 'select file, line, hash(t) from raw."{}" as t'
        found = {f"segment.{table}": final.format(table) for table in TABLES}
        found |= {f"raw.{table}": raw.format(table) for table in (*CALLS, "rejected")}
        return {name: set(self.rows(sql)) for name, sql in found.items()}

    def snapshots(self) -> int:
        """How many times the warehouse was written to."""
        ((count,),) = self.rows("select max(snapshot_id) from ducklake_snapshots('seamline')")
        return int(count)

    def problems(self) -> list[str]:
        """What `make verify` finds wrong."""
        return verify(self.settings).problems


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[House], object]) -> Path:
    """Return the folder of a house that the first process to need it makes; all others wait."""
    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = shared / f"{name}-{postgres.kind()}"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            half = folder.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir()
            postgres.drop(half)
            make(House(half))
            postgres.copy_catalog(half, folder)
            half.rename(folder)
    return folder


@pytest.fixture(scope="module")  # made once, for each kind of catalog
def prepared_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with warehouse/ and dagster/ as `make run` prepares them, all tables empty."""
    return once(tmp_path_factory, "prepared-house", lambda made: made.run("prepare"))


@pytest.fixture(scope="module")
def raw_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a warehouse/ that has all tables but those of dbt, empty."""

    def make(house: House) -> None:
        create_warehouse(house.settings)
        with writer_lock(house.settings), connect(house.settings) as con:
            create_column_tables(con)

    return once(tmp_path_factory, "raw-house", make)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """An empty house that the tests of a module share."""
    return House(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def built_house(tmp_path_factory: pytest.TempPathFactory, prepared_house: Path) -> House:
    """One with all tables and views there, empty, as `make run` prepares them."""
    return House(tmp_path_factory.mktemp("built")).move_in(prepared_house)


@pytest.fixture
def own_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """An empty house of the test's own, which the environment leads to."""
    own = House(tmp_path)
    own.put_into(monkeypatch)
    return own


@pytest.fixture
def settings(own_house: House) -> Settings:
    """The settings of a house of the test's own, in the environment too."""
    return own_house.settings


@pytest.fixture
def made_warehouse(own_house: House, raw_house: Path) -> Settings:
    """The same, with all tables but those of dbt, empty."""
    return own_house.move_in(raw_house).settings


@pytest.fixture
def copy_of(
    own_house: House, raw_house: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Callable[[Settings], object]], Settings]:
    """Give the test's own house what is made once, under a name, in one with no rows yet."""

    def copied(name: str, make: Callable[[Settings], object]) -> Settings:
        def fill(house: House) -> None:
            make(house.move_in(raw_house).settings)

        return own_house.move_in(once(tmp_path_factory, name, fill)).settings

    return copied
