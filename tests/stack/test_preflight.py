"""What would stop the stack is said in one line, with the setting that changes it."""

from __future__ import annotations

import socket
import stat
from typing import TYPE_CHECKING

import pytest

from stack.errors import StackError
from stack.preflight import check, check_folder, check_port
from stack.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = "127.0.0.1"


def test_a_taken_port_is_named_with_its_setting() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StackError) as refused:
            check_port(LOOPBACK, port, "SEAMLINE_PORT", "the receiver")
    assert str(refused.value) == (
        f"Port {port}, for the receiver, is taken: set SEAMLINE_PORT to another one."
    )


def test_a_port_that_was_just_used_is_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection((LOOPBACK, port))
        connection, _ = server.accept()
        connection.close()  # this side now waits in TIME_WAIT
        client.close()
    check_port(LOOPBACK, port, "SEAMLINE_PORT", "the receiver")


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(StackError, match=r"cannot be used on 192\.0\.2\.1"):
        check_port("192.0.2.1", 8080, "SEAMLINE_PORT", "the receiver")


@pytest.mark.usefixtures("settings")
def test_one_port_for_both_servers_is_refused() -> None:
    with pytest.raises(StackError, match="SEAMLINE_PORT or SEAMLINE_DAGSTER_PORT"):
        check(Settings(port=3000, dagster_port=3000))


def test_a_folder_that_is_missing_is_made_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "some" / "landing"
    check_folder(folder, "SEAMLINE_LANDING")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_made_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError) as refused:
        check_folder(tmp_path / "file" / "landing", "SEAMLINE_LANDING")
    assert str(refused.value) == (
        f"{tmp_path}/file/landing cannot be written to (Not a directory): "
        "set SEAMLINE_LANDING to another folder, or change its rights."
    )
