"""What would stop the stack anyway, found before anything is started, in one line each."""

import errno
import secrets
import socket
import tempfile
from pathlib import Path

from landed.buckets import Patience
from landed.folders import BRINGING
from landed.object_store import Store, StoreError
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.data_places import place_at
from receiver.senders.sources import Source, write_sources
from stack.errors import StackError
from stack.login import read_login
from stack.settings import Settings

_FIRST_LINE = "# docs/senders.md has what each of these keys may do, and where.\n"


def check(settings: Settings) -> None:
    """See whether the stack can start with these settings; make the folders that are missing.

    Raises:
        StackError: It cannot.
    """
    check_folder(settings.landing, "SEAMLINE_LANDING")
    for folder in catalog_of(settings).folders:
        check_folder(folder, "SEAMLINE_WAREHOUSE")
    for folder in place_at(settings.data_address).folders:
        check_folder(folder, "SEAMLINE_WAREHOUSE_DATA")
    check_folder(settings.dagster_home, "DAGSTER_HOME")
    if settings.landing_remote:
        check_store(settings.landing_remote)
        if (settings.landing / BRINGING).exists():
            raise StackError(
                "`seamline fetch --all` has not brought everything yet: run it again, it goes on "
                "where it was."
            )
    read_login(settings)
    if settings.port == settings.dagster_port:
        raise StackError(
            f"Port {settings.port} is set for both the receiver and the Dagster UI: change "
            "SEAMLINE_PORT or SEAMLINE_DAGSTER_PORT."
        )


def check_store(address: str) -> None:
    """See whether an object store can ever be used; one that does not answer now is waited for.

    Raises:
        StackError: It cannot: there is no such bucket, or the keys are of no use.
    """
    try:
        Store(address, Patience(5, 0, 5)).check()
    except StoreError as error:
        if error.is_lasting:
            raise StackError(error.message) from None


def check_ports(settings: Settings) -> None:
    """See whether the stack's ports are free, once no other stack of ours holds them.

    Raises:
        StackError: One of them is not.
    """
    check_port(settings.host, settings.port, "SEAMLINE_PORT", "the receiver")
    check_port(
        settings.dagster_host, settings.dagster_port, "SEAMLINE_DAGSTER_PORT", "the Dagster UI"
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


def write_sources_if_missing(path: Path) -> bool:
    """Write sources.toml with random keys, for its owner's eyes only.

    It has a source for SDKs and the pixel, and one for Segment's webhooks.

    Args:
        path: Where it is, or is to be.

    Returns:
        Whether it was written.

    Raises:
        StackError: It cannot be written.
    """
    if path.exists():
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sources(path, _first_sources(), _FIRST_LINE)
    except OSError as error:
        raise StackError(
            f"{path} cannot be written ({error.strerror}): set SEAMLINE_SOURCES to another file."
        ) from None
    return True


def _first_sources() -> list[Source]:
    browser, server, webhook = ((secrets.token_hex(16),) for _ in range(3))
    return [
        Source("default", browser_keys=browser, server_keys=server),
        Source(
            "segment",
            webhook_keys=webhook,
            shared_secrets=(secrets.token_hex(32),),
            may_delete=False,
        ),
    ]
