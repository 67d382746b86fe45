"""One exchange with the store at a time, of one loader: who has its lock, and whose store it is."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from landed.errors import ReportedError
from landed.files import write_whole
from landed.folders import BRINGING, REMOTE
from landed.object_store import Store, TakenError
from orchestration.remote.known import KnownObjects
from orchestration.settings import Settings

_LOADER = "loader"
"""The object, and the file here, that say whose store it is."""


class HalfBroughtError(ReportedError):
    """Not all has come yet that another loader has kept; the text says what to do."""


class AnothersStoreError(ReportedError):
    """The store is another loader's; the text says what to do."""


class ExchangeBusyError(ReportedError):
    """Another process exchanges with the store for longer than we wait."""


class Exchange(NamedTuple):
    """What an exchange is between."""

    landing: Path
    store: Store
    known: KnownObjects

    def be_its_loader(self) -> None:
        """See that the store is this loader's still, before anything goes that another needs.

        Raises:
            AnothersStoreError: another has taken it over.
            StoreError: it does not answer.
        """
        own = hashlib.sha256((self.landing / REMOTE / _LOADER).read_bytes()).hexdigest()
        found = self.store.look(_LOADER)
        if found is None or found.sha256 != own:
            raise AnothersStoreError(
                f"{self.store.address} has become another loader's. What is here stays; stop this "
                "loader."
            )


_HALF_BROUGHT = (
    "`seamline fetch --all` has not brought everything yet. Nothing was changed; run it again, it "
    "goes on where it was."
)


@contextmanager
def exchange(
    settings: Settings,
    *,
    take_over: Callable[[Exchange], object] | None = None,
    opened: Store | None = None,
) -> Iterator[Exchange | None]:
    """Exchange with the store for the length of a `with` block; None if there is no store.

    Args:
        settings: Where it is.
        take_over: Called before the store becomes this loader's, if it may be another's; raises
            if it must not.
        opened: The store, if it is open already.

    Raises:
        AnothersStoreError: it is another's.
        HalfBroughtError: `seamline fetch --all` was begun here, and has not ended.
        ExchangeBusyError: another process did not finish in time.
        StoreError: it does not answer.
    """
    if settings.landing_remote is None:
        yield None
        return
    known = KnownObjects(settings.landing)
    lock = FileLock(
        settings.landing / REMOTE / ".exchange", mode=0o600, timeout=settings.lock_seconds
    )
    try:
        with lock:
            store = opened or Store(settings.landing_remote)
            ex = Exchange(settings.landing, store, known)
            if take_over:
                take_over(ex)
            elif (settings.landing / BRINGING).exists():
                raise HalfBroughtError(_HALF_BROUGHT)
            _be_its_loader(settings.landing, store, takes_over=take_over is not None)
            yield ex
    except Timeout:
        raise ExchangeBusyError(
            f"Another process has exchanged files with {settings.landing_remote} for longer than "
            f"{settings.lock_seconds:g} s. Nothing was changed; try again later."
        ) from None
    finally:
        known.close()


def _be_its_loader(landing: Path, store: Store, *, takes_over: bool) -> None:
    """Refuse a store that another loader takes its files from: each would have half of them."""
    path = landing / REMOTE / _LOADER
    if not path.exists():
        write_whole(path, secrets.token_hex(8).encode() + b"\n")
    own = path.read_bytes()
    found = store.look(_LOADER)
    if found and found.sha256 == hashlib.sha256(own).hexdigest():
        return
    try:
        if takes_over:
            store.put(_LOADER, own)
        else:
            store.put_new(_LOADER, own, is_proved=False)
    except TakenError:
        raise AnothersStoreError(
            f"{store.address} is another loader's, and this landing folder, {landing}, does not "
            "have what that one has loaded. If that one is gone, `seamline fetch --all` brings "
            "all of it here, and makes the store this loader's; nothing was changed."
        ) from None
