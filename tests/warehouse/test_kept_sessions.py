"""A DuckDB that is kept for the next connection shows it nothing of the one before."""

from pathlib import Path
from typing import Any

import duckdb
import psutil
import pytest

from orchestration.settings import Settings
from orchestration.warehouse import connection
from orchestration.warehouse.connection import connect, keeping_sessions, sharing
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


def test_connections_that_share_have_the_lake_attached_once_and_leave_nothing_open(
    made_warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    attached = []
    attach = connection._attach  # noqa: SLF001

    def counted(*arguments: Any, **named: Any) -> None:
        attached.append(1)
        attach(*arguments, **named)

    monkeypatch.setattr(connection, "_attach", counted)
    with keeping_sessions():
        for number in range(3):
            with writer_lock(made_warehouse), sharing(made_warehouse):
                with connect(made_warehouse) as con:
                    con.execute(f"create table main.t{number} as select {number} as x")
                with connect(made_warehouse, read_only=True) as con:
                    assert con.execute(f"from main.t{number}").fetchall() == [(number,)]
                    zone = con.execute("select current_setting('TimeZone')").fetchone()
            assert zone == ("UTC",)
            assert not connection.is_shared(made_warehouse)
            assert _open_files(made_warehouse.catalog) == []
    assert len(attached) == 3


def test_of_connections_that_share_none_sees_what_another_has_not_committed(
    made_warehouse: Settings,
) -> None:
    with (
        writer_lock(made_warehouse),
        sharing(made_warehouse),
        connect(made_warehouse) as writer,
        connect(made_warehouse, read_only=True) as reader,
    ):
        writer.execute("begin")
        writer.execute("create table main.t as select 1 as x")
        with pytest.raises(duckdb.CatalogException):
            reader.execute("from main.t")
        writer.execute("commit")
        assert reader.execute("from main.t").fetchall() == [(1,)]


def test_a_transaction_that_fails_while_they_share_leaves_nothing(made_warehouse: Settings) -> None:
    with pytest.raises(duckdb.CatalogException):
        _fail_half_way(made_warehouse)
    assert _open_files(made_warehouse.catalog) == []
    with connect(made_warehouse, read_only=True) as con, pytest.raises(duckdb.CatalogException):
        con.execute("from main.half")


def _fail_half_way(settings: Settings) -> None:
    with writer_lock(settings), sharing(settings), connect(settings) as con:
        con.execute("begin")
        con.execute("create table main.half as select 1 as x")
        con.execute("from main.nothing")


def _open_files(catalog: Path) -> list[str]:
    """What this process has open of a catalog."""
    opened = (file.path for file in psutil.Process().open_files())
    return [path for path in opened if path.startswith(str(catalog))]
