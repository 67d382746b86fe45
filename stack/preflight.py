"""What would stop the stack anyway, found before anything is started, in one line each."""

from __future__ import annotations

import errno
import socket
import tempfile
from typing import TYPE_CHECKING

from stack.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

OLDEST_PYTHON = (3, 11)


def python_problem(version: tuple[int, int]) -> str | None:
    """Say what is wrong with this version of Python, or None. Older ones can read this module."""
    if version >= OLDEST_PYTHON:
        return None
    has, needs = (".".join(map(str, numbers)) for numbers in (version, OLDEST_PYTHON))
    return (
        f"Python {has} is too old, Seamline needs {needs} or newer: make the virtual environment "
        "again with a newer python3."
    )


def check_port(host: str, port: int, setting: str, purpose: str) -> None:
    """See whether a server can listen there.

    Args:
        host: The address it is to listen on.
        port: The port.
        setting: The environment variable that changes the port.
        purpose: Whose port it is.

    Raises:
        StackError: It cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # as servers do, or the connections of the last run would be in the way
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "is taken" if taken else f"cannot be used on {host} ({error.strerror})"
            raise StackError(
                f"Port {port}, for {purpose}, {why}: set {setting} to another one."
            ) from None


def check_ports_differ(receiver: int, dagster: int) -> None:
    """See that the two servers have a port each.

    Raises:
        StackError: They do not.
    """
    if receiver == dagster:
        raise StackError(
            f"Port {receiver} is set for both the receiver and the Dagster UI: change "
            "SEAMLINE_PORT or SEAMLINE_DAGSTER_PORT."
        )


def check_folder(folder: Path, setting: str) -> None:
    """See whether files can be written in a folder; make it where it is missing.

    Args:
        folder: The folder.
        setting: The environment variable that changes it.

    Raises:
        StackError: They cannot.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"0")
    except OSError as error:
        raise StackError(
            f"{folder} cannot be written to ({error.strerror}): set {setting} to another folder, "
            "or change its rights."
        ) from None
