"""A model of a user's that fails is named, and takes nothing from what a command is for."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestration import one_pass, prepare
from orchestration.erasure import rebuilt_tables
from orchestration.errors import DbtFailedError
from orchestration.models import run
from orchestration.models.manifest import manifest_path
from orchestration.recovery import rebuild
from orchestration.settings import Settings
from tests.support import landed
from tests.support.house import House

ERROR = "Binder Error in model broken (models/mine/broken.sql)\n  no column nope"


def result(name: str, folder: str, message: str = "") -> Any:
    node = SimpleNamespace(name=name, fqn=["seamline", folder, name])
    return SimpleNamespace(status="error" if message else "success", node=node, message=message)


BROKEN = result("broken", "mine", ERROR)
OURS = result("track", "segment", "out of memory")


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let a run of the models end so; none is run, as that takes seconds."""

    def answers(*results: object) -> None:
        monkeypatch.setattr(run, "run_models", lambda *_, **__: [*results])

    return answers


def test_a_line_names_it_and_says_what_was_done_and_what_to_do(
    answer: Callable[..., None], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    answer(result("track", "segment"), BROKEN, result("later", "mine", "Skipped: broken failed"))

    run.run_all_models(settings)

    (line,) = [record.getMessage() for record in caplog.records]
    assert "\n" not in line
    assert "broken: Binder Error in model broken (models/mine/broken.sql) no column nope" in line
    assert "later: Skipped" in line
    assert "All else was done" in line
    assert "dbt run --project-dir dbt_project --select broken later" in line


def test_one_of_ours_that_fails_fails_the_command(
    answer: Callable[..., None], settings: Settings
) -> None:
    answer(OURS, BROKEN)

    with pytest.raises(DbtFailedError, match=r"track: out of memory"):
        run.run_all_models(settings)


def test_a_load_by_hand_goes_well(answer: Callable[..., None], settings: Settings) -> None:
    answer(BROKEN)

    assert one_pass.load_once(settings).startswith("Loaded 0 files")


def test_a_start_goes_well_and_asks_for_our_models_alone(
    answer: Callable[..., None],
    own_house: House,
    prepared_house: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A start does not run all models each time, as the user's has no table."""
    settings = own_house.move_in(prepared_house).settings
    manifest = json.loads(manifest_path(settings).read_bytes())
    track = manifest["nodes"]["model.seamline.track"]
    others = {"broken": ["seamline", "mine", "broken"], "stg": ["pkg", "staging", "stg"]}
    for name, fqn in others.items():
        manifest["nodes"][name] = track | {"name": name, "alias": name, "fqn": fqn}
    (settings.dagster_home / "with-mine.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(
        prepare, "write_manifest", lambda _: settings.dagster_home / "with-mine.json"
    )

    answer(OURS)
    prepare.prepare(settings)  # nothing is run

    del manifest["nodes"]["model.seamline.track"]
    missing = track | {"name": "next", "alias": "next", "fqn": ["seamline", "segment", "next"]}
    manifest["nodes"]["model.seamline.next"] = missing
    (settings.dagster_home / "with-mine.json").write_text(json.dumps(manifest))
    with pytest.raises(DbtFailedError):
        prepare.prepare(settings)
    answer(BROKEN)
    prepare.prepare(settings)


def test_an_erasure_ends(answer: Callable[..., None], made_warehouse: Settings) -> None:
    settings = made_warehouse
    (settings.landing / "suppressed").mkdir(parents=True)
    rebuilt_tables.mark(settings.landing, ["identify"])

    answer(OURS)
    with pytest.raises(DbtFailedError):
        rebuilt_tables.build(settings, rebuilt_tables.marks(settings.landing))
    assert rebuilt_tables.marks(settings.landing)

    answer(BROKEN)
    rebuilt_tables.build(settings, rebuilt_tables.marks(settings.landing))
    assert not rebuilt_tables.marks(settings.landing)


@pytest.mark.long
def test_a_rebuild_takes_its_place_and_leaves_nothing_beside(
    own_house: House, prepared_house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever way it ends."""
    settings = own_house.move_in(prepared_house).settings
    beside = settings.catalog.parent / "rebuilding"
    before = settings.catalog.stat().st_ino, settings.catalog.read_bytes()

    def ours_fail(_: Settings) -> None:
        assert beside.exists()
        raise DbtFailedError("the models were not run")

    monkeypatch.setattr(rebuild, "_run_models", ours_fail)
    with pytest.raises(DbtFailedError):
        rebuild.rebuild(settings)
    assert not beside.exists()
    assert (settings.catalog.stat().st_ino, settings.catalog.read_bytes()) == before

    monkeypatch.setattr(run, "run_models", lambda *_, **__: [BROKEN])
    monkeypatch.setattr(rebuild, "_run_models", run.run_all_models)
    rebuild.rebuild(settings)
    assert not beside.exists()
    assert list(settings.catalog.parent.glob("catalog.sqlite.before-*"))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_real_dbt_loads_whatever_a_user_has_added(
    own_house: House,
    prepared_house: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    own_house.move_in(prepared_house)
    project = own_house.folder / "dbt_project"
    shutil.copytree(run.PROJECT_DIR, project, ignore=shutil.ignore_patterns("target", "logs"))
    monkeypatch.setattr(run, "PROJECT_DIR", project)
    mine = project / "models" / "mine"
    mine.mkdir()
    loads = {
        "fails": ("select nope from {{ ref('track') }}", "package's failed: broken: "),
        "cannot be read": ("select 1 from {{ ref('nope') }}", "depends on a node named 'nope'"),
    }
    for message_id, (model, said) in loads.items():
        (mine / "broken.sql").write_text(model)
        own_house.land("track", landed.line({"type": "track", "messageId": message_id}))
        prepare.prepare(own_house.settings)

        assert one_pass.load_once(own_house.settings) == "Loaded 1 files: 1 track"

        assert said in caplog.text
        assert (message_id,) in own_house.rows("select message_id from segment.track")
