"""The manifest that Dagster makes its assets from: always whole, whoever writes it at once."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from landed.settings import ROOT
from orchestration.models import run
from orchestration.models.manifest import is_up_to_date, write_manifest
from orchestration.models.project_files import below
from orchestration.settings import Settings
from tests.support.file_times import let_file_times_move_on
from tests.support.house import House

pytestmark = pytest.mark.timeout(600)

WRITE = "from orchestration.models.manifest import write_manifest; "
WRITE += "from orchestration.settings import Settings; print(write_manifest(Settings()))"


@pytest.mark.long
def test_processes_that_need_it_at_once_all_read_it_whole(settings: Settings) -> None:
    """Webserver, daemon and a run may all find it missing or old."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    printed = {writer.communicate()[0].splitlines()[-1] for writer in writers}
    (path,) = printed

    assert path == str(write_manifest(settings))
    assert "model.seamline.track" in json.loads((settings.dagster_home / path).read_text())["nodes"]


def test_whoever_finds_it_being_written_waits_for_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one file; two that write it at once would leave parts of both."""
    written = settings.dagster_home / "dbt" / "target" / "manifest.json"
    at_once = Counter[str]()

    def parse(*_: object) -> None:
        assert at_once.total() == 0, "two write at once"
        at_once["writers"] += 1
        written.parent.mkdir(parents=True, exist_ok=True)
        with written.open("w") as file:
            file.write('{"nodes": {"a": {"resource_type": "model", ')
            file.flush()
            time.sleep(0.01)  # lets the others run
            file.write('"schema": "segment"}}}')
        at_once["writers"] -= 1

    monkeypatch.setattr(run, "_invoke", parse)
    with ThreadPoolExecutor(3) as pool:
        paths = list(pool.map(write_manifest, [settings] * 3))

    assert [json.loads(path.read_bytes())["nodes"]["a"]["schema"] for path in paths] == [
        "segment"
    ] * 3


@pytest.mark.long
def test_a_run_leaves_it_alone(own_house: House, prepared_house: Path) -> None:
    """What dbt writes it writes in place: a reader could see half of it, and a kill leave half."""
    settings = own_house.move_in(prepared_house).settings
    manifest = write_manifest(settings)
    before = manifest.stat()
    run.run_models(settings, ["stg_segment__track"])

    assert manifest.stat().st_mtime_ns == before.st_mtime_ns


def test_a_file_that_an_editor_makes_and_removes_beside_the_models_is_no_problem(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    manifest = tmp_path / "manifest.json"
    manifest.write_text('{"nodes": {}}')
    monkeypatch.setattr("orchestration.models.manifest.PROJECT_DIR", tmp_path / "models")
    monkeypatch.setattr(
        "orchestration.models.manifest.below", lambda _: [tmp_path / "models" / ".track.sql.swp"]
    )

    assert not is_up_to_date(manifest, settings)


def test_a_folder_that_goes_while_the_project_is_looked_through_has_no_files(
    tmp_path: Path,
) -> None:
    assert list(below(tmp_path / "gone")) == []


def test_a_version_that_is_unpacked_over_an_older_one_is_read_whatever_its_files_times_are(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive's files have the time of their commit, which may be before the last start."""
    project, manifest = tmp_path / "project", tmp_path / "manifest.json"
    project.mkdir()
    (project / "track.sql").write_text("select 1")
    monkeypatch.setattr("orchestration.models.manifest.PROJECT_DIR", project)
    manifest.write_text('{"nodes": {"a": {"resource_type": "model", "schema": "segment"}}}')
    assert is_up_to_date(manifest, settings)
    before = manifest.stat().st_mtime

    let_file_times_move_on(manifest)
    (project / "track.sql").write_text("select 2")
    os.utime(project / "track.sql", (before - 3600, before - 3600))

    assert not is_up_to_date(manifest, settings)


@pytest.mark.long
def test_a_user_may_call_models_of_their_own_as_our_views_of_loads_and_delivery_are(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No project with two models of a name can be read, and these are names of many a mart."""
    ours = run.PROJECT_DIR
    project = tmp_path / "project"
    shutil.copytree(ours, project, ignore=shutil.ignore_patterns("target", "logs"))
    for name in ("loads", "delivery"):
        (project / "models" / "marts" / f"{name}.sql").write_text("select 1 as one")
    monkeypatch.setattr(run, "PROJECT_DIR", project)

    nodes = json.loads(write_manifest(settings).read_bytes())["nodes"]

    relations = {(node["schema"], node["alias"]) for node in nodes.values()}
    for name in ("loads", "delivery"):
        assert {("segment", name), ("segment_marts", name)} <= relations
