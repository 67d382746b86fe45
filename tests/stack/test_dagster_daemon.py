"""The daemon's code is loaded again where there is a reason, and only there."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._core.workspace.workspace import CodeLocationEntry

from stack.dagster_daemon import LONGEST_SECONDS, Code, Controller, Written, code_as_written

CODE = "import dagster as dg\ndefs = dg.Definitions()\n"


class Clock:
    """Stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        """What it shows."""
        return self.now


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceProcessContext]:
    """One location, in a code server of its own."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "some_definitions.py").write_text(CODE)
    target = ModuleTarget("some_definitions", None, str(folder), "here")
    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, target, version="1") as context,
    ):
        yield context


def entries(workspace: WorkspaceProcessContext) -> Mapping[str, CodeLocationEntry]:
    """What the daemon has loaded."""
    return workspace.get_current_workspace().code_location_entries


def test_code_that_is_as_it_was_and_answers_stays_loaded(
    workspace: WorkspaceProcessContext,
) -> None:
    assert not Code().has_to_be_loaded(entries(workspace))


def test_it_is_loaded_again_after_an_hour(workspace: WorkspaceProcessContext) -> None:
    clock = Clock()
    code = Code(clock=clock)

    clock.now += LONGEST_SECONDS + 1
    assert code.has_to_be_loaded(entries(workspace))
    code.is_loaded()
    assert not code.has_to_be_loaded(entries(workspace))


@pytest.mark.parametrize(
    "file",
    ["dbt_project/models/marts/new.sql", "orchestration/defs/new.py", "landed/n.py", ".env"],
)
def test_it_is_loaded_again_where_a_file_has_come_or_changed(
    file: str, tmp_path: Path, workspace: WorkspaceProcessContext
) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    code = Code(lambda: code_as_written(tmp_path))

    for text in ("one", "other"):
        path.write_text(text)
        assert code.has_to_be_loaded(entries(workspace))
        code.is_loaded()
        assert not code.has_to_be_loaded(entries(workspace))
    path.unlink()
    assert code.has_to_be_loaded(entries(workspace))


def test_what_is_written_by_use_is_no_change(
    tmp_path: Path, workspace: WorkspaceProcessContext
) -> None:
    code = Code(lambda: code_as_written(tmp_path))

    for folder in ("dbt_project/target", "dbt_project/logs", "orchestration/__pycache__"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").write_text("x")
    assert not code.has_to_be_loaded(entries(workspace))


@pytest.mark.parametrize("name", ["loop", "loop/file"])
def test_a_link_that_leads_nowhere_is_no_file(name: str, tmp_path: Path) -> None:
    """An error at one file would end the daemon, and nothing would be loaded any more."""
    folder = tmp_path / "dbt_project"
    folder.mkdir()
    before = code_as_written(tmp_path)
    (folder / "loop").symlink_to(folder / name)

    assert code_as_written(tmp_path) == before


def test_a_look_that_fails_leaves_what_is_loaded_and_is_repeated(
    workspace: WorkspaceProcessContext,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    controller = object.__new__(Controller)  # its own would start the daemon's threads
    answers = iter([frozenset(), OSError(5, "a disk's"), frozenset()])

    def look() -> Written:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    controller._code = Code(look)
    controller._workspace_process_context = workspace  # type: ignore[assignment]
    loaded: list[str] = []
    monkeypatch.setattr(workspace, "reload_workspace", lambda: loaded.append("again"))

    for _ in range(2):
        assert controller.check_workspace_freshness(0) > 0

    assert loaded == []
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_it_is_loaded_again_by_the_daemon_once_a_minute_at_most(
    workspace: WorkspaceProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller = object.__new__(Controller)
    written = iter([frozenset(), frozenset({("new.sql", 1, 1)}), frozenset({("new.sql", 1, 1)})])
    controller._code = Code(lambda: next(written))
    controller._workspace_process_context = workspace  # type: ignore[assignment]
    loaded: list[str] = []
    monkeypatch.setattr(workspace, "reload_workspace", lambda: loaded.append("again"))

    looked = controller.check_workspace_freshness(0)
    assert loaded == ["again"]

    assert controller.check_workspace_freshness(looked) == looked
    assert loaded == ["again"]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Error loading repository location:UserWarning")
def test_it_is_loaded_again_where_it_could_not_be_loaded() -> None:
    target = ModuleTarget("no_such_module", None, None, "here")
    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, target, version="1") as context,
    ):
        assert Code().has_to_be_loaded(entries(context))


@pytest.mark.long
def test_it_is_loaded_again_where_its_server_has_died(tmp_path: Path) -> None:
    (tmp_path / "some_definitions.py").write_text(CODE)
    target = ModuleTarget("some_definitions", None, str(tmp_path), "here")
    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, target, version="1") as context,
    ):
        found = entries(context)
        assert not Code().has_to_be_loaded(found)
        context._grpc_server_registry.shutdown_all_processes()  # type: ignore[attr-defined]  # noqa: SLF001
        context._grpc_server_registry.wait_for_processes()  # type: ignore[attr-defined]  # noqa: SLF001
        assert Code().has_to_be_loaded(found)
