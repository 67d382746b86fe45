"""The catalog as tables of a PostgreSQL database, in a schema of their own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from orchestration.settings import BESIDE, Settings, connection_values
from orchestration.warehouse.advisory_lock import (
    AdvisoryLock,
    of_this_thread,
    session,
    unusable,
)
from orchestration.warehouse.catalogs import SECRET, Opened, moment
from orchestration.warehouse.errors import (
    CatalogFullError,
    WarehouseMissingError,
    WarehouseUnusableError,
)
from orchestration.warehouse.locks import Lock

_DEFAULTS = {
    "application_name": "seamline",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    # milliseconds for what was sent: a machine that is gone does not answer for 15 minutes else
    "tcp_user_timeout": "30000",
}
_READ_LOCK_SECONDS = 2

# What began before rows were deleted keeps them alive, without any lock: sessions that read or
# write, replicas that say what they read (of no database), prepared transactions. Of what other
# roles' sessions are PostgreSQL says nothing to who is not in pg_read_all_stats.
_KEEPING_ROWS = """
select exists (
    select from pg_stat_activity
    where coalesce(datname, current_database()) = current_database()
    and (backend_xmin is not null or backend_xid is not null)
    and coalesce(backend_type, 'client backend') in ('client backend', 'walsender')
    and pid <> pg_backend_pid()
)
or exists (select from pg_prepared_xacts where database = current_database())
or exists (select from pg_replication_slots where xmin is not null)
"""


class PostgresCatalog:
    """Answers what `catalogs.Catalog` asks."""

    extensions: tuple[str, ...] = ("postgres_scanner",)
    # Who commits under a number that another has taken is not the writer any more: it fails, where
    # DuckLake would try again and double what both have loaded.
    settings: Mapping[str, str] = {"ducklake_max_retry_count": "0"}
    folders: tuple[Path, ...] = ()

    def __init__(self, settings: Settings) -> None:
        """Nothing is asked of the server."""
        self._place = settings.place
        self._schema = settings.catalog_schema
        said = _DEFAULTS | connection_values(settings.postgres or "")
        self._address = make_conninfo(**said)
        # not in what DuckDB is told, which it shows, nor in the environment, by which libpq would
        # offer it to other servers too
        self.password = said.pop("password", None)
        self._attached = make_conninfo(**said)
        self._database = said.get("dbname"), said.get("host")
        self.attach_options: Mapping[str, str | int | bool] = {
            "metadata_schema": self._schema,
            # so that its tables are found by their names alone, and no other schema is looked at
            "meta_schema": self._schema,
        }
        if self.password is not None:
            self.attach_options = {**self.attach_options, "meta_secret": SECRET}

    def exists(self) -> bool:
        """Whether DuckLake's tables are there."""
        with self._session() as con:
            return _has_tables(con, self._schema)

    def create(self) -> None:
        """Make the schema."""
        with self._session() as con:
            found = con.execute("select to_regnamespace(%s)", [self._schema]).fetchone()
            if found == (None,):
                con.execute(sql.SQL("create schema {}").format(sql.Identifier(self._schema)))

    def to_open(self, *, read_only: bool) -> Opened:
        """The database."""
        if read_only and not self.exists():
            raise WarehouseMissingError(
                f"There is no warehouse yet at {self._place} (SEAMLINE_WAREHOUSE, "
                "SEAMLINE_CATALOG_SCHEMA). `make run` or `make load` makes it."
            )
        return Opened(f"postgres:{self._attached}")

    def is_at(self, address: str) -> bool:
        """Whether it names the same database."""
        _, found, rest = address.partition("postgres:")
        if not found:
            return False
        try:
            said = connection_values(rest)
        except ValueError:
            return False
        return (said.get("dbname"), said.get("host")) == self._database

    def identity(self) -> object:
        """The schema's number."""
        with self._session() as con:
            return con.execute("select to_regnamespace(%s)::oid", [self._schema]).fetchone()

    def version(self) -> object:
        """The newest snapshot, with its time: a rebuilt warehouse has the same numbers."""
        with self._session() as con:
            if not _has_tables(con, self._schema):
                return None
            query = "select snapshot_id, snapshot_time from {} order by snapshot_id desc limit 1"
            table = sql.Identifier(self._schema, "ducklake_snapshot")
            return con.execute(sql.SQL(query).format(table)).fetchone()

    def size(self) -> int:
        """That of its tables, with their indexes."""
        with self._session() as con:
            row = con.execute(
                "select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint from pg_class "
                "where relnamespace = to_regnamespace(%s)::oid and relkind = 'r'",
                [self._schema],
            ).fetchone()
        return row[0] if row else 0

    def shrink(self) -> None:
        """Have the space of deleted rows used again; readers and writers go on meanwhile."""
        with self._session() as con:
            for table in _tables(con, self._schema):
                con.execute(sql.SQL("vacuum (analyze) {}").format(table))

    def empty(self) -> bool:
        """Write each table anew, without the rows that were deleted from it."""
        with self._session() as con:
            if con.execute(_KEEPING_ROWS).fetchone() != (False,):
                return False
            con.execute(f"set lock_timeout = '{_READ_LOCK_SECONDS}s'")
            try:
                for table in _tables(con, self._schema):
                    con.execute(sql.SQL("vacuum (full, analyze) {}").format(table))
            except psycopg.errors.LockNotAvailable:
                return False
        return True

    def remove_others(self) -> list[str]:
        """Drop the schemas beside it."""
        with self._session() as con:
            # as `take_over` names them: longer than the name of a warehouse may be
            names = con.execute(
                "select nspname from pg_namespace where nspname ~ %s order by nspname",
                [rf"^{self._schema}_before_\d{{8}}t\d{{6}}_\d{{6}}z$"],
            ).fetchall()
            aside = [name for (name,) in names]
            for name in (*aside, self._beside()):
                _drop(con, name)
        return aside

    def search(self, holds: Callable[[bytes], bool]) -> list[str]:
        """The tables with a row that does."""
        found = []
        with self._session() as con:
            for table in _tables(con, self._schema):
                name = table.as_string(con)
                copying = sql.SQL("copy {} to stdout").format(table)
                with con.cursor() as cursor, cursor.copy(copying) as rows:
                    # to the end: to stop in the middle would cancel the session's statement
                    hits = [True for row in rows if holds(bytes(row))]
                if hits:
                    found.append(f"{name} of {self._place}")
        return found

    def beside(self) -> Mapping[str, object]:
        """A schema beside."""
        return {"catalog_schema": self._beside()}

    def _beside(self) -> str:
        return f"{self._schema}{BESIDE}"

    def remove(self) -> None:
        """Drop the schema."""
        with self._session() as con:
            _drop(con, self._schema)

    def take_over(self, source: Settings) -> str | None:
        """Have the rows of the new one written over the old ones in one transaction.

        So the tables stay those that readers know: a transaction that reads the old one does so to
        its end. Schemas that change names would show it the new one's rows by the old one's number.
        """
        aside = f"{self._schema}_before_{moment().lower().replace('.', '_')}"
        try:
            with self._session() as con, con.transaction():
                kept = self._put_in(con, source.catalog_schema, aside)
                _drop(con, source.catalog_schema)
        except psycopg.OperationalError as error:
            raise CatalogFullError(" ".join(str(error).split())) from error
        return aside if kept else None

    def _put_in(self, con: psycopg.Connection, new: str, aside: str) -> bool:
        """Put the new catalog in the place of the old one; whether that is kept."""
        if _columns(con, self._schema) == _columns(con, new):
            snapshots = sql.Identifier(self._schema, "ducklake_snapshot")
            con.execute(sql.SQL("lock table {} in share row exclusive mode").format(snapshots))
            # nobody commits from now on, and nobody has since this is the writer
            writer = of_this_thread(self._address, self._place, self._schema)
            if writer.is_ours:
                writer.check()
            copy_schema(con, self._schema, aside)
            for table in _names(con, self._schema):
                con.execute(sql.SQL("delete from {}").format(sql.Identifier(self._schema, table)))
                _copy_rows(con, new, self._schema, table)
            return True
        # lost, or damaged so that nobody can be reading it
        is_there = bool(_names(con, self._schema))
        for old, name in ((self._schema, aside), (new, self._schema)):
            if con.execute("select to_regnamespace(%s)", [old]).fetchone() != (None,):
                _rename(con, old, name)
        return is_there

    def lock(self, name: str) -> Lock:
        """PostgreSQL's lock, as this thread has it."""
        return of_this_thread(self._address, self._place, self._schema, name)

    def new_lock(self, name: str) -> Lock:
        """The same, in a session of its own."""
        return AdvisoryLock(self._address, self._place, self._schema, name)

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection]:
        with session(self._address, self._place) as con:
            try:
                yield con
            except psycopg.OperationalError as error:
                if isinstance(error, psycopg.errors.DiskFull):
                    raise
                raise unusable(self._place, error) from error
            except psycopg.errors.InsufficientPrivilege as error:
                raise WarehouseUnusableError(
                    f"The catalog does not let us do this ({self._place}): "
                    f"{' '.join(str(error).split())}. Nothing was changed; docs/scaling.md says "
                    "what a role has to be granted."
                ) from error


def copy_schema(con: psycopg.Connection, old: str, new: str) -> None:
    """Make a schema with the tables, keys and rows of another one."""
    con.execute(sql.SQL("create schema {}").format(sql.Identifier(new)))
    for table in _names(con, old):
        con.execute(
            sql.SQL("create table {} (like {} including all)").format(
                sql.Identifier(new, table), sql.Identifier(old, table)
            )
        )
        _copy_rows(con, old, new, table)


def _copy_rows(con: psycopg.Connection, old: str, new: str, table: str) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, _columns(con, old)[table]))
    con.execute(
        sql.SQL("insert into {} ({}) select {} from {}").format(
            sql.Identifier(new, table), columns, columns, sql.Identifier(old, table)
        )
    )


def _drop(con: psycopg.Connection, schema: str) -> None:
    con.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))


def _rename(con: psycopg.Connection, old: str, new: str) -> None:
    con.execute(
        sql.SQL("alter schema {} rename to {}").format(sql.Identifier(old), sql.Identifier(new))
    )


def _names(con: psycopg.Connection, schema: str) -> list[str]:
    rows = con.execute(
        "select relname from pg_class where relnamespace = to_regnamespace(%s)::oid "
        "and relkind = 'r' order by relname",
        [schema],
    ).fetchall()
    return [name for (name,) in rows]


def _tables(con: psycopg.Connection, schema: str) -> list[sql.Identifier]:
    return [sql.Identifier(schema, name) for name in _names(con, schema)]


def _has_tables(con: psycopg.Connection, schema: str) -> bool:
    return "ducklake_snapshot" in _names(con, schema)


def _columns(con: psycopg.Connection, schema: str) -> dict[str, list[str]]:
    """The columns of each table, in the order of their names."""
    rows = con.execute(
        "select relname, array_agg(attname::text order by attname) from pg_class "
        "join pg_attribute on attrelid = pg_class.oid "
        "where relnamespace = to_regnamespace(%s)::oid and relkind = 'r' "
        "and attnum > 0 and not attisdropped group by relname",
        [schema],
    ).fetchall()
    return dict(rows)
