"""Dagster with its storage in PostgreSQL: a load, status, upkeep, and a server that is away."""

import os
import secrets
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from landed.settings import ROOT
from orchestration.audit.dagster_says import look
from orchestration.audit.status import status
from orchestration.by_hand import upkeep_once
from orchestration.dagster_database import RUNS, SETTING, opened, search
from orchestration.definitions import defs
from orchestration.prepare import prepare_dagster_home
from orchestration.settings import Settings
from tests.support import landed
from tests.support.house import House
from tests.support.postgres import PASSWORD, Server
from tests.support.processes import free_port, plain_environment

pytestmark = pytest.mark.scale

NOW = datetime.now(UTC)


@pytest.fixture
def address(postgres: Server) -> str:
    """Of an empty database."""
    name = f"d_{secrets.token_hex(8)}"
    with postgres.session() as con:
        con.execute(f"create database {name}")
    return postgres.uri.replace("/lake", f"/{name}")


@pytest.fixture
def on_postgres(own_house: House, address: str, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house whose Dagster has its storage there."""
    monkeypatch.setenv(SETTING, address)
    own_house.settings = own_house.settings.model_copy(update={"dagster_storage": address})
    own_house.environment[SETTING] = address
    return own_house


def load_job(settings: Settings) -> None:
    """Run the job of the load to its end."""
    prepare_dagster_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        assert defs.resolve_job_def("load").execute_in_process(instance=instance).success
        instance.add_daemon_heartbeat(DaemonHeartbeat(NOW.timestamp(), "SCHEDULER", "one"))


def seamline(house: House, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestration", *command],
        cwd=ROOT,
        env=plain_environment() | house.environment,
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_load_is_a_run_there_and_status_and_upkeep_are_as_with_files(
    own_house: House, prepared_house: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEAMLINE_QUIET_SECONDS", "0.2")
    files = own_house.move_in(prepared_house).settings
    landed.land(files.landing, "track", landed.line({"messageId": "one", "type": "track"}))
    load_job(files)
    said = look(files, NOW, set())

    there = files.model_copy(update={"dagster_storage": address})
    monkeypatch.setenv(SETTING, address)
    landed.land(there.landing, "track", landed.line({"messageId": "two", "type": "track"}))
    load_job(there)

    assert look(there, NOW, set()) == said
    assert said is not None
    assert said.is_running
    assert status(there).lines() == status(files).lines()
    with opened(there, RUNS) as execute:
        assert execute("select pipeline_name, status from runs") == [("load", "SUCCESS")]
        old = (NOW - timedelta(days=100)).replace(tzinfo=None)
        execute("update runs set update_timestamp = $1", [old])
    assert "Dagster's runs removed: 1" in upkeep_once(there)
    with opened(there, RUNS) as execute:
        assert execute("select count(*) from runs") == [(0,)]
        assert execute("select count(*) from event_logs where run_id <> ''") == [(0,)]


def test_the_password_is_in_no_file_and_dagster_yaml_follows_the_setting(
    on_postgres: House,
) -> None:
    settings = on_postgres.settings
    config = settings.dagster_home / "dagster.yaml"
    without = settings.model_copy(update={"dagster_storage": None})
    prepare_dagster_home(without)
    assert config.is_symlink()

    prepare_dagster_home(settings)

    assert not config.is_symlink()
    files = [path for path in settings.dagster_home.rglob("*") if path.is_file()]
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        assert PASSWORD not in instance.info_str()
        assert "Postgres" in type(instance.run_storage).__name__
    prepare_dagster_home(without)
    assert config.is_symlink()

    config.unlink()
    config.write_text("telemetry: {enabled: false}\n")
    prepare_dagster_home(settings)
    assert config.read_text() == "telemetry: {enabled: false}\n"


def test_an_id_that_is_left_in_dagsters_tables_is_found(on_postgres: House) -> None:
    settings = on_postgres.settings
    prepare_dagster_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization("x", metadata={"said": "the-id-of-somebody"})
        )

    assert search(settings, lambda row: b"the-id-of-somebody" in row) == [
        f"{table} of {SETTING}" for table in ("asset_keys", "event_logs")
    ]
    assert search(settings, lambda row: b"of-nobody" in row) == []


@pytest.mark.parametrize("wrong", ["away", "password", "database"])
def test_a_server_that_cannot_be_used_is_a_line_and_status_goes_on(
    built_house: House, address: str, wrong: str
) -> None:
    port = str(psycopg.conninfo.conninfo_to_dict(address)["port"])
    wrongly = {
        "away": address.replace(port, str(free_port())),
        "password": address.replace(PASSWORD, "another-9d2e"),
        "database": address + "_not_there",
    }[wrong]
    built_house.environment[SETTING] = wrongly

    said = seamline(built_house, "status")
    (line,) = [line for line in said.stdout.splitlines() if SETTING in line]
    assert "cannot be used" in line
    assert "Files that wait" in said.stdout
    refused = seamline(built_house, "prepare")

    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith(f"{SETTING}: Dagster's storage at ")
    for secret in (PASSWORD, "another-9d2e"):
        assert secret not in said.stdout + said.stderr + refused.stdout + refused.stderr
    assert os.environ.get(SETTING) != wrongly
