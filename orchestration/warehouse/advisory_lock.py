"""Locks that PostgreSQL holds for a session: it frees them when that ends, on whatever machine.

Those who wait get one in the order in which they came.
"""

import hashlib
import os
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime

import psycopg

from orchestration.warehouse.errors import LockLostError, WarehouseUnusableError
from orchestration.warehouse.locks import WRITER, command

_LONGEST_NAME = 63
"""Of an application, in bytes."""

# a machine that is gone has nobody to say so: within a minute, not in two hours as by default
_KEEPALIVES = (
    "set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3"
)

UNLIMITED = (
    "select set_config(name, '0', false) from pg_settings "
    "where name in ('idle_session_timeout', 'statement_timeout', 'transaction_timeout')"
)
"""For a session that holds a lock: it waits as long as it is told, and then has nothing to say.
Not every version has each of these limits."""

_LONGEST_WAIT = 2**31 - 1
"""Milliseconds that `lock_timeout` takes: 24 days."""


class AdvisoryLock:
    """One of them, on a connection of its own while it is held."""

    def __init__(self, address: str, place: str, schema: str, name: str) -> None:
        """Nothing is asked of the server.

        Args:
            address: How libpq connects.
            place: The same for people.
            schema: The catalog's.
            name: The lock's.
        """
        self._address = address
        self._place = place
        self._name = name
        digest = hashlib.sha256(f"seamline {schema} {name}".encode()).digest()
        self._key = int.from_bytes(digest[:8], "big", signed=True)
        self._times = 0
        self._session: psycopg.Connection | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it is held here; the server may have lost it meanwhile."""
        return self._times > 0

    def acquire(self, seconds: float) -> None:
        """Take it, once more if it is ours."""
        if not self._times:
            self._session = self._locked(seconds)
        self._times += 1

    def release(self) -> None:
        """Give it back, as often as it was taken."""
        self._times -= 1
        if not self._times:
            self.give_way()

    def give_way(self) -> None:
        """End the session, and with it the lock."""
        if self._session:
            self._session.close()
        self._session = None

    def take_again(self) -> None:
        """Have it again in a new session."""
        self._session = self._locked(None)

    def pin(self) -> str:
        """What is read from then on is of one snapshot."""
        return "from ducklake_current_snapshot('seamline')"

    def check(self) -> None:
        """Ask the server whether the session goes on."""
        try:
            if self._session is None:
                raise psycopg.OperationalError("the session was ended")
            self._session.execute("select 1")
        except psycopg.Error as error:
            raise LockLostError(
                f"The connection that holds the writer's lock was lost ({self._place}): "
                f"{_line(error)}. Another may be the writer by now, so nothing was committed; what "
                "waits stays where it is, and the next run loads it."
            ) from error

    def holder(self) -> str:
        """What the session that has it calls itself."""
        try:
            with session(self._address, self._place) as asking:
                found = asking.execute(
                    "select application_name, pid, host(client_addr) "
                    "from pg_locks join pg_stat_activity using (pid) "
                    "where locktype = 'advisory' and granted and objsubid = 1 "
                    "and database = (select oid from pg_database where datname = "
                    "current_database()) and (classid::bigint << 32) | objid::bigint = %s",
                    [self._key],
                ).fetchone()
        except WarehouseUnusableError:
            found = None
        if found is None:
            return f"it holds a lock of {self._place}"
        name, backend, machine = found
        return f"{name} ({self._place}; backend {backend}{f' of {machine}' if machine else ''})"

    def _locked(self, seconds: float | None) -> psycopg.Connection:
        """A session that has the lock, after so many seconds at most, or however long it takes."""
        opened = session(self._address, self._place, _signature())
        try:
            opened.execute(_KEEPALIVES)
            opened.execute(UNLIMITED)
            if seconds == 0:
                row = opened.execute("select pg_try_advisory_lock(%s)", [self._key]).fetchone()
                if not (row and row[0]):
                    raise TimeoutError  # noqa: TRY301 - with the session closed
            else:
                wait = 0 if seconds is None else min(max(1, int(seconds * 1000)), _LONGEST_WAIT)
                opened.execute(f"set lock_timeout = {wait}")
                opened.execute("select pg_advisory_lock(%s)", [self._key])
                # from now on this is since when
                opened.execute("select set_config('application_name', %s, false)", [_signature()])
        except psycopg.errors.LockNotAvailable:
            opened.close()
            raise TimeoutError from None
        except psycopg.Error as error:
            opened.close()
            raise unusable(self._place, error) from error
        except BaseException:
            opened.close()
            raise
        return opened


_held = threading.local()


def of_this_thread(address: str, place: str, schema: str, name: str = WRITER) -> AdvisoryLock:
    """The lock as all that a thread does has it."""
    if not hasattr(_held, "locks"):
        _held.locks = {}
    locks: dict[tuple[str, str, int], AdvisoryLock] = _held.locks
    # a process that was forked has none of its parent's
    known = (place, name, os.getpid())
    if known not in locks:
        locks[known] = AdvisoryLock(address, place, schema, name)
    return locks[known]


def session(address: str, place: str, name: str = "seamline") -> psycopg.Connection:
    """A connection that commits each statement.

    Raises:
        WarehouseUnusableError: there is none to be had.
    """
    try:
        return psycopg.connect(address, autocommit=True, application_name=name)
    except psycopg.Error as error:
        raise unusable(place, error) from error


def unusable(place: str, error: psycopg.Error) -> WarehouseUnusableError:
    """Say in a line that the server cannot be asked, and why."""
    return WarehouseUnusableError(
        f"The catalog cannot be reached ({place}): {_line(error)}. Nothing was changed: what waits "
        "stays in the landing folder. It goes on by itself when the server answers; if the address "
        "is wrong, set SEAMLINE_WAREHOUSE."
    )


def _line(error: psycopg.Error) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return said.rstrip(".")


def _signature() -> str:
    since = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    where = f"{os.getpid()}@{socket.gethostname()}"
    name = f"{command()[:24]}, {where}"
    ending = f", since {since}"
    shown = name.encode("ascii", "replace").decode()[: _LONGEST_NAME - len(ending)]
    with suppress(UnicodeError):
        return shown + ending
    return shown
