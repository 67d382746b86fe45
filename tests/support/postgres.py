"""PostgreSQL beside the tests, and the tests of the SQLite catalog that run on it as well.

`make test-scale` runs them there: the same files, with houses whose catalog is in PostgreSQL.
"""

import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from landed.settings import ROOT
from orchestration import dagster_database
from orchestration.settings import Settings
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.postgres_catalog import copy_schema
from tests.support.processes import free_port

PASSWORD = "not-to-be-shown-7c1f"

ON_BOTH: dict[str, set[str]] = {
    "loading/test_load_once.py": set(),
    "loading/faults/test_kills.py": set(),
    "loading/faults/test_two_at_once.py": set(),
    "loading/faults/test_readers.py": set(),
    "export/test_snapshots.py": set(),
    "warehouse/test_bucket.py": set(),
    "warehouse/test_postgres.py": set(),
    "warehouse/test_postgres_lock.py": set(),
    "warehouse/test_postgres_passwords.py": set(),
    "warehouse/test_transaction.py": set(),
    "warehouse/test_kept_sessions.py": {
        "test_a_warehouse_that_was_exchanged_meanwhile_is_the_one_that_is_read",
        "test_connections_that_share_have_the_lake_attached_once_and_leave_nothing_open",
        "test_a_transaction_that_fails_while_they_share_leaves_nothing",
    },
    "warehouse/test_writer_lock.py": {
        "test_the_holder_is_named_with_its_process_its_command_and_since_when",
        "test_a_lock_that_says_nothing_is_named_by_its_file",
        "test_a_command_is_named_without_what_may_name_a_person",
        "test_who_waits_is_next_though_another_writes_again_and_again",
        "test_a_writer_that_cannot_sign_goes_on",
    },
    "upkeep/test_parquet_files.py": set(),
    "upkeep/test_snapshots.py": set(),
    "upkeep/test_orphans.py": set(),
    "upkeep/test_kills.py": set(),
    "erasure/test_everywhere.py": set(),
    "erasure/test_rebuild.py": set(),
    "recovery/test_restore.py": set(),
    "audit/test_dagster_says.py": set(),
    "upkeep/test_dagster_storage.py": set(),
}
"""Module below tests/ → its tests that are about the SQLite file, and stay with it."""

TOO = {
    "audit/test_dagster_says.py::test_an_upkeep_that_failed_is_a_problem",
    "audit/test_dagster_says.py::test_of_a_check_that_is_made_no_more_nothing_is_said_for_ever",
    "erasure/test_everywhere.py::test_to_erase_whoever_is_nowhere_changes_nothing",
    "erasure/test_everywhere.py::test_what_others_say_of_a_person_stays_and_is_named",
    "erasure/test_rebuild.py::test_a_rebuilt_warehouse_is_row_for_row_the_same",
    "recovery/test_restore.py::test_a_copy_of_a_warehouse_that_is_half_made_again_knows_it",
    "recovery/test_restore.py::test_a_mark_of_an_earlier_version_that_was_killed_meanwhile_is_heeded",
    "recovery/test_restore.py::test_a_run_makes_it_again_and_loads_what_waits",
    "recovery/test_restore.py::test_a_start_leaves_the_work_to_the_first_run",
    "recovery/test_restore.py::test_after_a_death_in_the_middle_it_goes_on",
    "recovery/test_restore.py::test_no_model_runs_on_a_warehouse_that_is_only_half_there",
    "recovery/test_restore.py::test_nothing_is_loaded_into_a_warehouse_that_lacks_loads",
    "recovery/test_restore.py::test_the_sensor_sees_that_it_is_an_older_copy_though_no_file_waits",
    "recovery/test_restore.py::test_what_was_made_again_is_on_the_disk_before_it_is_listed",
    "upkeep/test_parquet_files.py::test_a_load_that_waits_goes_between_two_tables",
    "upkeep/test_parquet_files.py::test_a_table_of_a_users_may_have_any_name",
    "upkeep/test_parquet_files.py::test_files_from_before_a_new_column_are_written_together_with_later_ones",
}
"""Of these those that are marked `long` and run there all the same."""

_NEEDS = "PostgreSQL's server (Debian's package postgresql)"
_OTHERS = {"long", "chaos", "integration"}
_is_postgres = False


@cache
def binaries() -> Path | None:
    """The folder of its programs, of the newest version there is; Debian has it on no PATH."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    known = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in known), default=None, key=lambda path: path.parent.name)


@dataclass
class Server:
    """A server of the tests' own, on loopback and a socket, that forgets all with their end."""

    folder: Path
    port: int

    @property
    def address(self) -> str:
        """By its socket, where it asks for no password."""
        return f"host={self.folder} port={self.port} user=seamline dbname=lake"

    @property
    def uri(self) -> str:
        """By its port, with the password that it asks for there."""
        return f"postgresql://seamline:{PASSWORD}@127.0.0.1:{self.port}/lake"

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs to its end, as somebody whom it lets: not as root."""
        found = binaries()
        assert found
        user: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
        done = subprocess.run(
            [found / program, *arguments],
            cwd="/",
            check=False,
            capture_output=True,
            text=True,
            **(user if os.geteuid() == 0 else {}),
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def make(self) -> None:
        """Make its files, start it, and make the database."""
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(self.folder, 65534, 65534)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self.run(
            "initdb", "-D", self.data, "-U", "seamline", "--auth-local=trust", "--no-sync",
            "--auth-host=scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C",
        )  # fmt: skip
        self.start()
        with psycopg.connect(self.address.replace("=lake", "=postgres"), autocommit=True) as con:
            con.execute("create database lake")

    @property
    def data(self) -> str:
        """The folder of its files."""
        return str(self.folder / "data")

    def start(self) -> None:
        """Start it, and wait until it answers. What it is told is on a disk is not synced."""
        options = (
            f"-c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off "
            "-c full_page_writes=off -c max_connections=60 -c max_prepared_transactions=5 "
            "-c log_min_duration_statement=0 "
            "-c log_line_prefix='%p ' -c autovacuum=off"
        )
        log = str(self.folder / "log")
        self.run("pg_ctl", "start", "-w", "-s", "-D", self.data, "-l", log, "-o", options)

    def stop(self) -> None:
        """Stop it as with the power of its machine."""
        self.run("pg_ctl", "stop", "-w", "-s", "-D", self.data, "-m", "immediate")

    def answers(self) -> bool:
        """Whether it runs."""
        try:
            self.session().close()
        except psycopg.OperationalError:
            return False
        return True

    def statements(self) -> int:
        """How many it has been sent so far, by its log."""
        return (self.folder / "log").read_text().count(" ms  ")

    def session(self) -> psycopg.Connection[Any]:
        """A connection that commits each statement."""
        return psycopg.connect(self.address, autocommit=True)


@cache
def server() -> Server:
    """The one of this run's, started when somebody first wants it."""
    made = Server(Path(tempfile.mkdtemp(prefix="seamline-postgres-")), free_port())
    made.make()
    return made


def is_asked_for(config: pytest.Config) -> bool:
    """Whether the tests on real servers are to run."""
    return "scale" in config.option.markexpr and "not scale" not in config.option.markexpr


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not read files without such a test, where no others are asked for."""
    if config.option.markexpr != "scale" or not collection_path.match("test_*.py"):
        return None
    known = collection_path.relative_to(ROOT / "tests").as_posix() in ON_BOTH
    return None if known or "mark.scale" in collection_path.read_text() else True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that run on PostgreSQL as well, if those are asked for."""
    if not is_asked_for(config):
        return
    seen = set()
    for item in items:
        name = item.nodeid.partition("[")[0]
        marks = {mark.name for mark in item.iter_markers()}
        if (
            (marks & _OTHERS and item.nodeid.removeprefix("tests/") not in TOO)
            or ("any_one" in marks and name in seen)
            or not _runs_on_both(item)
        ):
            continue
        seen.add(name)
        item.add_marker("scale")
        if binaries() is None:
            item.add_marker(pytest.mark.skip(reason=f"wants {_NEEDS}"))


def _runs_on_both(item: pytest.Item) -> bool:
    left_out = ON_BOTH.get(_module(item))
    return left_out is not None and item.name.partition("[")[0] not in left_out


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0].removeprefix("tests/")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Have the houses of such a test's module on PostgreSQL."""
    global _is_postgres  # noqa: PLW0603 - what House is told, which knows no test
    _is_postgres = is_asked_for(item.config) and _module(item) in ON_BOTH
    try:
        return (yield)
    finally:
        _is_postgres = False


def pytest_unconfigure() -> None:
    """Stop the server, and remove it."""
    if server.cache_info().currsize:
        server().stop()
        shutil.rmtree(server().folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out."""
    if not is_asked_for(terminalreporter.config):
        terminalreporter.line(
            "LEFT OUT, as it is marked scale: the warehouse on PostgreSQL. `make test-scale` runs "
            "it."
        )
    elif binaries() is None:
        terminalreporter.line(f"LEFT OUT, for want of it: what wants {_NEEDS}.")


def kind() -> str:
    """What catalogs of houses are made in just now: `sqlite` or `postgres`."""
    return "postgres" if _is_postgres else "sqlite"


def settings_in(folder: Path) -> dict[str, Any]:
    """The settings that lead to the catalog of a house in a folder."""
    if not _is_postgres:
        return {"warehouse": f"ducklake:sqlite:{folder}/warehouse/catalog.sqlite"}
    return {
        "warehouse": f"ducklake:postgres:{server().address}",
        "catalog_schema": schema_of(folder),
        "warehouse_data": folder / "warehouse" / "data",
    }


def dagster_storage(environment: pytest.MonkeyPatch) -> dict[str, str]:
    """The setting that leads to a new database for Dagster's storage; none where it is files.

    It is in the environment too, as Dagster reads it there, until the test ends.
    """
    if not _is_postgres:
        return {}
    name = f"d_{secrets.token_hex(8)}"
    with server().session() as con:
        con.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    address = server().uri.replace("/lake", f"/{name}")
    environment.setenv(dagster_database.SETTING, address)
    return {"dagster_storage": address}


def schema_of(folder: Path) -> str:
    """The schema of such a catalog."""
    return f"h_{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"


def copy_catalog(made: Path, folder: Path) -> None:
    """Let a house have the catalog of a house in another folder, if it has one in PostgreSQL."""
    if _is_postgres:
        with server().session() as con:
            drop(folder)
            if con.execute("select to_regnamespace(%s)", [schema_of(made)]).fetchone() != (None,):
                copy_schema(con, schema_of(made), schema_of(folder))


def drop(folder: Path) -> None:
    """Remove the catalog of a house."""
    if _is_postgres:
        with server().session() as con:
            schema = sql.Identifier(schema_of(folder))
            con.execute(sql.SQL("drop schema if exists {} cascade").format(schema))


def back_up(settings: Settings, folder: Path) -> None:
    """Copy a warehouse, with its Parquet files, to a folder."""
    if settings.postgres is None:
        shutil.copytree(settings.catalog.parent, folder)
        return
    shutil.copytree(settings.data, folder / "data")
    with server().session() as con:
        copy_schema(con, settings.catalog_schema, schema_of(folder))


def lose(settings: Settings) -> None:
    """Remove a warehouse, with its Parquet files."""
    catalog_of(settings).remove()
    shutil.rmtree(settings.data, ignore_errors=True)


def put_back(settings: Settings, folder: Path) -> None:
    """Let what was copied be the warehouse again, which is lost."""
    if settings.postgres is None:
        shutil.copytree(folder, settings.catalog.parent)
        return
    shutil.copytree(folder / "data", settings.data)
    with server().session() as con:
        copy_schema(con, schema_of(folder), settings.catalog_schema)


def put_aside(settings: Settings) -> None:
    """Leave a copy of the catalog as a rebuild leaves the one before it."""
    if settings.postgres is None:
        shutil.copy(settings.catalog, f"{settings.catalog}.before-20261101T000000Z")
        return
    with server().session() as con:
        name = settings.catalog_schema
        copy_schema(con, name, f"{name}_before_20261101t000000_000000z")


def catalog_files(settings: Settings) -> list[Path]:
    """The files in which the server has a catalog, as they are on the disk now."""
    if settings.postgres is None:
        return []
    with server().session() as con:
        con.execute("checkpoint")
        rows = con.execute(
            """
            with ours as (
                select oid, reltoastrelid from pg_class
                where relnamespace = to_regnamespace(%(schema)s)::oid
            )
            select pg_relation_filepath(oid) from ours where pg_relation_filepath(oid) is not null
            union all
            select pg_relation_filepath(reltoastrelid) from ours where reltoastrelid <> 0
            """,
            {"schema": settings.catalog_schema},
        ).fetchall()
    return [Path(server().data) / path for (path,) in rows]


@pytest.fixture
def postgres() -> Server:
    """The server, for tests that are about it."""
    if binaries() is None:
        pytest.skip(f"wants {_NEEDS}")
    return server()
