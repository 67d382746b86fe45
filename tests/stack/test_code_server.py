"""One code server for webserver and daemon: both wait for it, and both see what it has loaded."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import psutil
import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget

from landed.settings import ROOT
from stack import code_server, workspaces
from stack.code_server import LOCATION, write_workspace
from stack.dagster_daemon import Code, Controller
from tests.support.processes import eventually

CODE = """
import dagster as dg

@dg.asset
def {asset}(): ...

defs = dg.Definitions(assets=[{asset}])
"""


def test_dagster_asks_the_server_for_what_workspace_yaml_names(tmp_path: Path) -> None:
    """It goes by the later of two locations of one name; those that a user has added stay."""
    written = tmp_path / "workspace.yaml"
    write_workspace(written, tmp_path / "code.sock")

    (before,) = WorkspaceFileTarget([str(ROOT / "workspace.yaml")]).create_origins()
    (origin,) = WorkspaceFileTarget([str(ROOT / "workspace.yaml"), str(written)]).create_origins()

    assert isinstance(origin, GrpcServerCodeLocationOrigin)
    assert origin.socket == str(tmp_path / "code.sock")
    assert origin.location_name == before.location_name == LOCATION
    assert before.loadable_target_origin.module_name == code_server.MODULE


def test_nobody_waits_for_servers_that_a_user_has_added(tmp_path: Path) -> None:
    mine = tmp_path / "workspace.yaml"
    mine.write_text("load_from: [{grpc_server: {socket: /nowhere/mine, location_name: mine}}]")
    before = time.monotonic()

    workspaces.wait_for_server([str(mine), str(ROOT / "workspace.yaml")])

    assert time.monotonic() < before + workspaces.LONGEST_SECONDS / 10


def test_a_server_that_does_not_come_is_left_to_dagster_to_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(tmp_path / "workspace.yaml", tmp_path / "code.sock")
    monkeypatch.setattr(workspaces, "LONGEST_SECONDS", 0.2)

    workspaces.wait_for_server([str(tmp_path / "workspace.yaml")])


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Some code in place of ours."""
    monkeypatch.setattr(code_server, "MODULE", "some_definitions")
    monkeypatch.setattr(code_server, "ROOT", tmp_path)
    return tmp_path / "some_definitions.py"


class Server(NamedTuple):
    """A code server, and how Dagster finds it."""

    workspace: str
    process: psutil.Process


@pytest.fixture
def server(module: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """Its server, only just started."""
    module.write_text(request.param)
    workspace, socket = tmp_path / "workspace.yaml", tmp_path / "code.sock"
    write_workspace(workspace, socket)
    process = subprocess.Popen(code_server.command(socket), cwd=tmp_path)
    yield Server(str(workspace), psutil.Process(process.pid))
    process.terminate()
    process.wait(timeout=30)


def assets(context: WorkspaceProcessContext) -> list[str]:
    """What a part of Dagster sees."""
    (entry,) = context.create_request_context().get_code_location_entries().values()
    assert entry.code_location is not None, entry.load_error
    (repository,) = entry.code_location.get_repositories().values()
    return [node.asset_key.to_user_string() for node in repository.get_asset_node_snaps()]


@pytest.mark.long
@pytest.mark.parametrize("server", [CODE.format(asset="one")], indirect=True)
def test_what_one_has_loaded_again_the_other_sees(server: Server, module: Path) -> None:
    target = WorkspaceFileTarget([server.workspace])
    workspaces.wait_for_server([server.workspace])

    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, target) as daemon,
        WorkspaceProcessContext(instance, target) as webserver,
    ):
        assert assets(daemon) == assets(webserver) == ["one"]

        module.write_text(CODE.format(asset="other"))
        daemon.reload_workspace()

        assert assets(daemon) == ["other"]
        assert eventually(lambda: assets(webserver) == ["other"], seconds=20)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Error loading repository location:UserWarning")
@pytest.mark.parametrize("server", [CODE.format(asset="one")], indirect=True)
def test_where_its_inner_process_dies_the_daemon_has_another_at_its_next_look(
    server: Server,
) -> None:
    """The outer one starts another, and then fails to end the one that has died."""
    workspaces.wait_for_server([server.workspace])
    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, WorkspaceFileTarget([server.workspace])) as context,
    ):
        controller = object.__new__(Controller)  # its own would start the daemon's threads
        controller._code = Code(frozenset)
        controller._workspace_process_context = context
        (inner,) = (one for one in server.process.children() if "grpc" in one.cmdline())
        inner.kill()

        controller.check_workspace_freshness(0)

        assert assets(context) == ["one"]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Error loading repository location:UserWarning")
@pytest.mark.parametrize("server", ["this is no code"], indirect=True)
def test_code_that_cannot_be_loaded_is_waited_for_no_longer_and_named(server: Server) -> None:
    workspaces.wait_for_server([server.workspace])

    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, WorkspaceFileTarget([server.workspace])) as context,
    ):
        (entry,) = context.create_request_context().get_code_location_entries().values()
        assert entry.load_error is not None
        assert "this is no code" in entry.load_error.to_string()
