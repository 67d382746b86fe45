"""A DuckDB that is kept for the next connection shows it nothing of the one before."""

import duckdb
import pytest

from orchestration.settings import Settings
from orchestration.warehouse import connection
from orchestration.warehouse.connection import connect, keeping_sessions
from orchestration.warehouse.writer_lock import writer_lock


def test_the_next_connection_has_the_same_duckdb_and_the_warehouse_as_it_is_then(
    made_warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    session = connection._session  # noqa: SLF001

    def counted() -> duckdb.DuckDBPyConnection:
        made.append(1)
        return session()

    monkeypatch.setattr(connection, "_session", counted)
    with keeping_sessions():
        for number in range(5):
            with writer_lock(made_warehouse), connect(made_warehouse) as con:
                con.execute(f"create table main.t{number} as select {number} as x")
                con.execute("create temporary table own as select 1 as x")
            del con
            with connect(made_warehouse, read_only=True) as con:
                rows = con.execute(f"from main.t{number}").fetchall()
                zone = con.execute("select current_setting('TimeZone')").fetchone()
                own = "select count(*) from duckdb_tables() where table_name = 'own'"
                left = con.execute(own).fetchone()
            del con
            assert (rows, zone, left) == ([(number,)], ("UTC",), (0,))
    assert len(made) <= 2  # of ten; what DuckDB imports late may keep the frame of the first


def test_two_connections_at_once_have_each_their_own(made_warehouse: Settings) -> None:
    with (
        keeping_sessions(),
        writer_lock(made_warehouse),
        connect(made_warehouse) as writer,
        connect(made_warehouse, read_only=True) as reader,
    ):
        writer.execute("begin")
        writer.execute("create table main.t as select 1 as x")
        with pytest.raises(duckdb.CatalogException):
            reader.execute("from main.t")
        writer.execute("commit")
        assert reader.execute("from main.t").fetchall() == [(1,)]


def test_what_was_open_when_a_connection_closed_is_gone(made_warehouse: Settings) -> None:
    with keeping_sessions():
        with writer_lock(made_warehouse), connect(made_warehouse) as con:
            con.execute("begin")
            con.execute("create table main.half as select 1 as x")
        del con
        with connect(made_warehouse, read_only=True) as con, pytest.raises(duckdb.CatalogException):
            con.execute("from main.half")


def test_a_warehouse_that_was_exchanged_meanwhile_is_the_one_that_is_read(
    made_warehouse: Settings,
) -> None:
    catalog = made_warehouse.catalog
    copy = catalog.read_bytes()
    with keeping_sessions():
        with writer_lock(made_warehouse), connect(made_warehouse) as con:
            con.execute("create table main.t as select 1 as x")
        del con
        for path in catalog.parent.glob("catalog.sqlite-*"):
            path.unlink()
        new = catalog.with_suffix(".new")
        new.write_bytes(copy)
        new.rename(catalog)
        with connect(made_warehouse, read_only=True) as con, pytest.raises(duckdb.CatalogException):
            con.execute("from main.t")
