"""Which dbt commands write, and that the lock holds whatever the profile says."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import cli, dbtRunner, dbtRunnerResult
from dbt_common.exceptions import DbtRuntimeError

from landed.settings import ROOT
from orchestration.models import command as dbt_command
from orchestration.settings import Settings
from orchestration.warehouse.writer_lock import is_held, writer_lock
from tests.support import landed
from tests.support.house import House

WRITERS = {"build", "clone", "retry", "run", "run-operation", "seed", "snapshot"}


@pytest.mark.parametrize("command", sorted(set(cli.commands) | {"generate", "serve"}))
def test_every_command_of_dbt_reads_but_those_that_build(command: str) -> None:
    flags = SimpleNamespace(WHICH=command, STORE_FAILURES=False)

    assert dbt_command.writes(flags) == (command in WRITERS)


def test_a_test_that_stores_failures_writes() -> None:
    assert dbt_command.writes(SimpleNamespace(WHICH="test", STORE_FAILURES=True))


@pytest.mark.parametrize("threads", [2, 4])
def test_more_threads_than_one_are_refused(threads: int) -> None:
    with pytest.raises(DbtRuntimeError, match=f"with one thread, not {threads}"):
        dbt_command.refuse_more_threads(threads)


@pytest.mark.parametrize(
    ("path", "attached", "plugin", "is_ours"),
    [
        (":memory:", [], ["orchestration.models.plugin"], True),
        (":memory:", ["ducklake:sqlite:{catalog}"], [], True),
        (":memory:", ["ducklake:sqlite:warehouse/catalog.sqlite"], [], True),
        ("ducklake:sqlite:{catalog}", [], [], True),
        ("/elsewhere/own.duckdb", ["other.duckdb"], ["gsheet"], False),
        ("/elsewhere/own.duckdb", ["read-only ducklake:sqlite:{catalog}"], [], False),
    ],
)
def test_another_project_waits_its_turn_if_its_profile_lets_it_write_here(
    settings: Settings, path: str, attached: list[str], plugin: list[str], is_ours: bool
) -> None:
    credentials = SimpleNamespace(
        path=path.format(catalog=settings.catalog),
        attach=[
            SimpleNamespace(
                path=one.removeprefix("read-only ").format(catalog=settings.catalog),
                read_only=one.startswith("read-only "),
            )
            for one in attached
        ],
        plugins=[SimpleNamespace(module=module) for module in plugin],
    )

    assert dbt_command.uses_warehouse(credentials, settings) == is_ours


@dataclass
class Session:
    """A process in which one dbt command follows another, as in a notebook."""

    house: House
    profiles: Path

    def dbt(self, *arguments: str) -> str | None:
        """Run a command; return what went wrong."""
        outcome = self.invoke(*arguments)
        return None if outcome.success else str(outcome.exception)

    def invoke(self, *arguments: str) -> dbtRunnerResult:
        """Run a command."""
        return dbtRunner().invoke(
            [
                *arguments,
                *("--project-dir", str(ROOT / "dbt_project"), "--quiet"),
                *(
                    "--profiles-dir",
                    str(self.profiles),
                    "--target-path",
                    str(self.profiles / "target"),
                ),
                *("--log-path", str(self.profiles), "--no-write-json"),
                "--no-static-parser",  # its threads are not in what this process forks
            ]
        )

    def writes_unlocked(self) -> bool:
        """Whether a command that writes gets by while somebody else is the writer."""
        before = self.house.snapshots()
        with another_writer(self.house.settings):
            said = self.dbt("run", "--select", "alias")
        assert said is None or "Another process has been writing" in said
        return said is None or self.house.snapshots() != before


@contextmanager
def another_writer(settings: Settings) -> Iterator[None]:
    """Somebody else who is the writer: to the kernel, another opening of the lock's file."""
    with (settings.catalog.parent / "writer.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@pytest.fixture(scope="module")
def profiles(built_house: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a profile whose target has another name and whose path is the right one."""
    folder = tmp_path_factory.mktemp("profiles")
    settings = built_house.settings
    profiles = yaml.safe_load((ROOT / "profiles.yml").read_text())
    profile = profiles["seamline"]
    own = profile["outputs"].pop(profile["target"])
    own["attach"][0] |= {
        "path": settings.warehouse,
        "options": {
            "data_path": f"{settings.data}/",
            "override_data_path": True,
            "data_inlining_row_limit": 0,
            "meta_busy_timeout": 10_000,
        },
    }
    profile |= {"target": "mine", "outputs": {"mine": own}}
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    read = built_house.folder / "dagster" / "dbt" / "target"  # the project as it was read
    shutil.copytree(read, folder / "target")
    return folder


@pytest.fixture
def session(
    built_house: House, profiles: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    """One with that profile."""
    settings = built_house.settings
    for name, value in {
        "SEAMLINE_LANDING": str(settings.landing),
        "SEAMLINE_WAREHOUSE": settings.warehouse,
        "SEAMLINE_COLUMNS": str(settings.columns),
        "SEAMLINE_LOCK_SECONDS": "0.2",
    }.items():
        monkeypatch.setenv(name, value)
    yield Session(built_house, profiles)
    DuckDBConnectionManager.close_all_connections()


@pytest.fixture
def stitch_in_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another name of the integration, in `.env` alone."""
    monkeypatch.delenv(dbt_command.INTEGRATION_NAME, raising=False)
    (tmp_path / ".env").write_text(f'{dbt_command.INTEGRATION_NAME}="Stitch Segment"\n')
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")


@pytest.mark.usefixtures("stitch_in_env_file")
def test_the_schema_is_that_of_the_name_in_env_file(session: Session) -> None:
    """Which dbt itself does not read."""
    compiled = session.invoke("compile", "--select", "alias")

    assert compiled.exception is None
    models = [one.node for one in compiled.result if one.node.resource_type == "model"]
    assert [node.schema for node in models] == ["stitch_segment"]


@pytest.mark.usefixtures("stitch_in_env_file")
def test_debug_connects_whatever_the_name(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_LOG_PATH", str(session.profiles))
    where = ("--project-dir", str(ROOT / "dbt_project"), "--profiles-dir", str(session.profiles))

    outcome = dbtRunner().invoke(["debug", "--connection", *where])

    assert outcome.exception is None
    assert outcome.success


@pytest.mark.usefixtures("stitch_in_env_file")
@pytest.mark.parametrize(
    ("schema", "environment"), [("dev", None), ("segment", "Segment"), ("segment", "")]
)
def test_a_schema_that_somebody_chose_stays(
    schema: str, environment: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if environment is not None:
        monkeypatch.setenv(dbt_command.INTEGRATION_NAME, environment)
    credentials = SimpleNamespace(schema=schema)

    dbt_command.take_schema(credentials, Settings())

    assert credentials.schema == schema


@pytest.mark.long
def test_what_a_model_writes_is_on_the_disk_before_it_is_listed(
    session: Session, synced: set[Path]
) -> None:
    """A power cut takes no file that the catalog lists."""
    session.house.land("alias", landed.line({"userId": "u"}, message_id="m"))
    session.house.load()

    assert session.dbt("run", "--select", "stg_segment__alias", "alias") is None

    assert session.house.rows("select user_id from segment.alias") == [("u",)]
    ours = session.house.settings.data / "segment" / "alias"
    assert set(ours.rglob("*.parquet")) | {ours} <= synced


@pytest.mark.long
def test_commands_follow_each_other_in_one_process_and_each_gives_the_lock_back(
    session: Session,
) -> None:
    settings = session.house.settings

    assert session.dbt("run", "--select", "alias") is None
    assert not is_held(settings)
    with another_writer(settings):
        assert session.dbt("show", "--inline", "select 1") is None
    assert not session.writes_unlocked()
    with writer_lock(settings):
        assert session.dbt("run", "--select", "alias") is None
        assert is_held(settings)
    before = session.house.snapshots()
    for command in ("run", "snapshot"):
        assert "one thread" in str(session.dbt(command, "--threads", "4"))
    assert (session.house.snapshots(), is_held(settings)) == (before, False)
