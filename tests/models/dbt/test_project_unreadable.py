"""What a user adds and dbt cannot read keeps neither the receiver nor a load from going on."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from dbt.exceptions import CompilationError, DbtRuntimeError, ParsingError

from landed.settings import ROOT
from orchestration.errors import DbtFailedError
from orchestration.models import manifest, run
from orchestration.models.manifest import is_up_to_date, manifest_path, write_manifest
from orchestration.settings import Settings
from tests.support.file_times import let_file_times_move_on

UNREADABLE = CompilationError("Model 'broken' depends on a node named 'nope'\nwhich was not found")


class Runner:
    """A dbt that fails where a user's model is, and notes what projects it was shown."""

    failure: Exception = UNREADABLE
    always = False
    shown: list[set[str]]

    def __init__(self, manifest: object = None) -> None:
        """It may know what the project is, and looks all the same."""

    def invoke(self, arguments: list[str]) -> SimpleNamespace:
        """Answer as dbt does."""
        project = Path(arguments[arguments.index("--project-dir") + 1])
        files = {str(path.relative_to(project)) for path in project.rglob("*.*") if path.is_file()}
        self.shown.append(files)
        if self.always or "models/mine/broken.sql" in files:
            return SimpleNamespace(exception=self.failure, result=None)
        if "parse" in arguments:
            target = Path(arguments[arguments.index("--target-path") + 1])
            target.mkdir(parents=True, exist_ok=True)
            parents = {"a": ["b"], "b": ["a"]} if "models/mine/cycle.sql" in files else {"a": []}
            manifest = {"nodes": {}, "parent_map": parents}
            (target / "manifest.json").write_text(json.dumps(manifest))
        return SimpleNamespace(exception=None, result=SimpleNamespace(results=["done"]))


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Runner]]:
    """It is what is asked, about a project with ours and a user's."""
    project = tmp_path / "project"
    for file in (
        "dbt_project.yml",
        "models/staging/stg.sql",
        "models/segment/track.sql",
        "models/warehouse/tracks.sql",
        "models/mine/broken.sql",
        "macros/ours.sql",
        "macros/mine/theirs.sql",
        "tests/generic/no_row_lost.sql",
        "tests/mine.sql",
        "snapshots/mine.sql",
        "packages.yml",
        "dbt_packages/pkg/dbt_project.yml",
        "target/manifest.json",
    ):
        (project / file).parent.mkdir(parents=True, exist_ok=True)
        (project / file).touch()
    fresh = type("Fresh", (Runner,), {"shown": []})
    for module in (run, manifest):
        monkeypatch.setattr(module, "PROJECT_DIR", project)
    monkeypatch.setattr(run, "dbtRunner", fresh)
    return fresh


OURS = {
    "dbt_project.yml",
    "models/staging/stg.sql",
    "models/segment/track.sql",
    "models/warehouse/tracks.sql",
    "macros/ours.sql",
    "tests/generic/no_row_lost.sql",
}


def invoke(settings: Settings) -> list[object]:
    return list(run._invoke(settings, ["run"]))  # noqa: SLF001


@pytest.mark.parametrize(
    "failure",
    [UNREADABLE, ParsingError("bad YAML"), RuntimeError("Found a cycle: a --> b")],
    ids=["compilation", "parsing", "cycle"],
)
def test_our_own_models_are_run_and_a_line_says_what_was_left_out(
    runner: type[Runner], failure: Exception, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    runner.failure = failure

    assert invoke(settings) == ["done"]

    everything, ours = runner.shown
    assert ours == OURS < everything
    (line,) = [record.getMessage() for record in caplog.records]
    assert " ".join(str(failure).split()) in line
    assert "\n" not in line
    assert "Seamline's own models" in line
    assert "Mend or remove" in line


def test_the_whole_project_is_run_while_it_can_be_read(
    runner: type[Runner], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    (run.PROJECT_DIR / "models/mine/broken.sql").unlink()

    assert invoke(settings) == ["done"]

    assert len(runner.shown) == 1
    assert not caplog.records


def test_models_that_read_each_other_are_left_out_of_the_manifest(
    runner: type[Runner], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Dbt parses them without a word, and Dagster could make no assets of them."""
    (run.PROJECT_DIR / "models/mine/broken.sql").rename(run.PROJECT_DIR / "models/mine/cycle.sql")

    manifest = write_manifest(settings)

    assert json.loads(manifest.read_bytes())["parent_map"] == {"a": []}
    assert runner.shown[-1] == OURS
    assert "Found a cycle: " in caplog.text


def test_runs_in_dagster_show_what_is_said_of_models() -> None:
    config = yaml.safe_load((ROOT / "dagster.yaml").read_text())

    assert config["python_logs"]["managed_python_loggers"] == [run.log.name]


def test_a_command_that_may_not_write_now_is_not_tried_again(
    runner: type[Runner], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    runner.failure = DbtRuntimeError("another process has been writing")

    with pytest.raises(DbtFailedError, match="has been writing"):
        invoke(settings)

    assert len(runner.shown) == 1
    assert not caplog.records


def test_what_is_wrong_with_our_own_is_said(runner: type[Runner], settings: Settings) -> None:
    runner.always = True

    with pytest.raises(DbtFailedError, match="node named 'nope'"):
        invoke(settings)


@pytest.mark.usefixtures("runner")
def test_a_model_that_is_removed_makes_the_manifest_old(
    settings: Settings,
) -> None:
    """It may have been left out for that one's sake, and the user's others with it."""
    manifest = manifest_path(settings)
    manifest.parent.mkdir(parents=True)
    manifest.write_text('{"nodes": {"a": {"resource_type": "model", "schema": "segment"}}}')
    assert is_up_to_date(manifest, settings)

    let_file_times_move_on(manifest)
    (run.PROJECT_DIR / "models/mine/broken.sql").unlink()

    assert not is_up_to_date(manifest, settings)
