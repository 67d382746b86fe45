"""The warehouse's catalog in PostgreSQL: its readers, rebuilds, and what may go wrong with it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from landed.settings import WrongSettingsError
from orchestration.loading import load as load_module
from orchestration.loading.load import load
from orchestration.models.pending_models import pending
from orchestration.recovery import rebuild as rebuild_module
from orchestration.settings import Settings
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.connection import connect
from orchestration.warehouse.errors import (
    LockLostError,
    WarehouseMissingError,
    WarehouseUnusableError,
)
from orchestration.warehouse.raw_tables import create_raw_tables
from orchestration.warehouse.writer_lock import (
    writer_lock,
)
from tests.support.house import House
from tests.support.postgres import PASSWORD, Server
from tests.support.processes import free_port
from tests.support.warehouse import rows
from tests.warehouse.postgres_houses import ids_in, land, waiting, with_password

pytestmark = pytest.mark.scale


@pytest.fixture
def restarted(postgres: Server) -> Iterator[Server]:
    """The server, which the test may stop."""
    yield postgres
    if not postgres.answers():
        postgres.start()


# --- servers that are away, and addresses that are wrong


def test_a_server_that_stops_in_a_load_loses_nothing_and_the_next_load_goes_on(
    made_warehouse: Settings, restarted: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(made_warehouse, "a")
    land(made_warehouse, "b")
    small = made_warehouse.model_copy(update={"load_bytes": 1})  # a transaction for each file
    insert = load_module.insert_files

    def insert_and_lose_the_server(*arguments: Any) -> Any:
        done = insert(*arguments)
        restarted.stop()
        return done

    monkeypatch.setattr(load_module, "insert_files", insert_and_lose_the_server)
    with pytest.raises((duckdb.Error, WarehouseUnusableError, LockLostError)):
        load(small)
    monkeypatch.undo()

    with pytest.raises(WarehouseUnusableError, match="what waits stays") as down:
        load(small)
    assert "\n" not in str(down.value)
    assert pending(small).problem
    restarted.start()
    load(small)
    assert (ids_in(small), waiting(small)) == (["a", "b"], 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda server: server.uri.replace(PASSWORD, "wrong-" + PASSWORD), "password"),
        (lambda server: server.uri.replace("/lake", "/puddle"), '"puddle" does not exist'),
        (lambda server: server.uri.replace(str(server.port), str(free_port())), "refused"),
    ],
    ids=["password", "database", "server"],
)
def test_an_address_that_leads_nowhere_is_one_line_without_the_password(
    own_house: House, postgres: Server, change: Callable[[Server], str], said: str
) -> None:
    own_house.environment["SEAMLINE_WAREHOUSE"] = f"ducklake:postgres:{change(postgres)}"
    land(own_house.settings, "a")

    status, printed = own_house.try_run("load")

    assert status == 1
    (line,) = printed.splitlines()
    assert said in line
    assert "SEAMLINE_WAREHOUSE" in line
    assert PASSWORD not in printed
    assert waiting(own_house.settings) == 1


@pytest.mark.parametrize(
    "address", ["", "nonsense", "host=", "postgresql://[", "host=a nonsense=1", "mysql://a/b"]
)
def test_what_is_no_address_is_refused_by_its_settings_name(tmp_path: Path, address: str) -> None:
    with pytest.raises(WrongSettingsError, match=r"^SEAMLINE_WAREHOUSE: has to be ducklake:"):
        Settings(warehouse=f"ducklake:postgres:{address}", warehouse_data=tmp_path)


@pytest.mark.parametrize(
    "name", ["sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"]
)
@pytest.mark.parametrize(
    ("setting", "beginning"), [("warehouse", "ducklake:postgres:"), ("export_postgres", "")]
)
def test_secrets_that_would_be_shown_are_refused_in_a_line_that_shows_none(
    tmp_path: Path, setting: str, beginning: str, name: str
) -> None:
    values: dict[str, Any] = {setting: f"{beginning}host=db {name}=topsecret"}
    with pytest.raises(WrongSettingsError, match="which a service file may hold") as refused:
        Settings(warehouse_data=tmp_path, **values)

    assert f"SEAMLINE_{setting.upper()}: " in str(refused.value)
    assert "topsecret" not in str(refused.value)


@pytest.mark.parametrize(
    ("attached", "is_ours"),
    [
        ("ducklake:postgres:{uri}", True),
        ("ducklake:postgres:user=seamline dbname=lake host=127.0.0.1", True),
        ("ducklake:postgres:dbname=other host=127.0.0.1", False),
        ("ducklake:postgres:nonsense", False),
        ("warehouse/catalog.sqlite", False),
    ],
)
def test_what_another_dbt_project_attaches_is_known_as_ours_by_its_database(
    own_house: House, postgres: Server, attached: str, is_ours: bool
) -> None:
    catalog = catalog_of(with_password(own_house, postgres).settings)

    assert catalog.is_at(attached.format(uri=postgres.uri)) is is_ours


def test_without_a_folder_for_the_data_the_setting_is_named() -> None:
    with pytest.raises(WrongSettingsError, match=r"SEAMLINE_WAREHOUSE_DATA: .*has to be a folder"):
        Settings(warehouse="ducklake:postgres:dbname=lake")


def test_a_catalog_of_a_newer_ducklake_is_left_alone(
    own_house: House, raw_house: Path, postgres: Server
) -> None:
    own_house.move_in(raw_house)
    land(own_house.settings, "a")
    with postgres.session() as con:
        table = f"{own_house.settings.catalog_schema}.ducklake_metadata"
        con.execute(f"update {table} set value = '99.0' where key = 'version'")

    status, printed = own_house.try_run("load")

    assert status == 1
    assert "99.0" in printed
    assert "SEAMLINE_WAREHOUSE" in printed
    assert len(printed.splitlines()) == 1
    assert waiting(own_house.settings) == 1


def test_a_warehouse_that_is_not_there_yet_is_made_by_no_reader(settings: Settings) -> None:
    with pytest.raises(WarehouseMissingError, match="SEAMLINE_CATALOG_SCHEMA"):
        connect(settings, read_only=True)

    assert not catalog_of(settings).exists()


def test_what_rebuilds_have_left_goes_and_other_schemas_of_like_names_stay(
    made_warehouse: Settings, postgres: Server
) -> None:
    name = made_warehouse.catalog_schema
    left = [
        f"{name}_before_20261128t122201_123456z",
        str(catalog_of(made_warehouse).beside()["catalog_schema"]),
    ]
    others = [
        f"{name}{ending}" for ending in ("_before_2026", "_rebuilding", "_before_20261128t122201z")
    ]
    others.append(f"x{left[0]}")

    def there() -> set[str]:
        found = con.execute(
            "select nspname from pg_namespace where nspname = any(%s)", [left + others]
        )
        return {found for (found,) in found.fetchall()}

    with postgres.session() as con:
        for schema in left + others:
            con.execute(f'create schema "{schema}"')
        assert catalog_of(made_warehouse).remove_others() == left[:1]
        assert there() == set(others)


def test_a_warehouse_of_the_longest_name_can_be_rebuilt(
    own_house: House, prepared_house: Path, postgres: Server
) -> None:
    name = "a" * 30
    own_house.move_in(prepared_house)
    with postgres.session() as con:
        con.execute(f"drop schema if exists {name} cascade")
        con.execute(f"alter schema {own_house.settings.catalog_schema} rename to {name}")
    house = House(own_house.folder, catalog_schema=name)
    land(house.settings, "a")
    house.run("load")

    house.run("rebuild")

    assert ids_in(house.settings) == ["a"]


# --- what keeps rows that were deleted


@pytest.fixture
def ordinary(own_house: House, postgres: Server) -> Settings:
    """A warehouse whose role is told nothing of the sessions of others."""
    role = f"ordinary_{own_house.settings.catalog_schema}"
    with postgres.session() as con:
        con.execute(f"create role {role} login")
        con.execute(f"grant create on database lake to {role}")
    address = postgres.address.replace("=seamline", f"={role}", 1)
    settings = House(
        own_house.folder,
        warehouse=f"ducklake:postgres:{address}",
        catalog_schema=own_house.settings.catalog_schema,
        warehouse_data=own_house.settings.data,
    ).settings
    with writer_lock(settings), connect(settings) as con:
        create_raw_tables(con)
    return settings


@pytest.mark.parametrize(
    "statements",
    [
        ["begin isolation level repeatable read", "select 1"],
        ["begin", "create temporary table mine (one int)"],
    ],
    ids=["reads", "has written"],
)
def test_another_roles_transaction_has_the_emptying_wait(
    ordinary: Settings, postgres: Server, statements: list[str]
) -> None:
    catalog = catalog_of(ordinary)
    with postgres.session() as other:
        for statement in statements:
            other.execute(statement.encode())
        assert not catalog.empty()
        other.execute("rollback")
        assert catalog.empty()


def test_a_prepared_transaction_has_the_emptying_wait(ordinary: Settings, postgres: Server) -> None:
    catalog = catalog_of(ordinary)
    with postgres.session() as other:
        other.execute("begin")
        other.execute("select pg_current_xact_id()")
        other.execute("prepare transaction 'kept'")
        try:
            assert not catalog.empty()
        finally:
            other.execute("rollback prepared 'kept'")
    assert catalog.empty()


# --- readers


def test_a_role_with_these_grants_reads_and_cannot_write(
    made_warehouse: Settings, postgres: Server
) -> None:
    """docs/scaling.md has these grants."""
    land(made_warehouse, "a")
    load(made_warehouse)
    name = made_warehouse.catalog_schema
    with postgres.session() as con:
        for statement in (
            "create role analyst login",
            f"grant usage on schema {name} to analyst",
            f"grant select on all tables in schema {name} to analyst",
            f"alter default privileges in schema {name} grant select on tables to analyst",
        ):
            con.execute(statement)
    theirs = Settings(
        warehouse=f"ducklake:postgres:{postgres.address.replace('=seamline', '=analyst', 1)}",
        catalog_schema=name,
        warehouse_data=made_warehouse.data,
        landing=made_warehouse.landing,
    )

    with connect(theirs, read_only=True) as con:
        assert con.execute("select message_id from raw.track").fetchall() == [("a",)]
        with pytest.raises(duckdb.Error, match="read-only"):
            con.execute("delete from raw.track")
    with (
        pytest.raises((duckdb.Error, WarehouseUnusableError)),
        writer_lock(theirs),
        connect(theirs) as con,
    ):
        con.execute("delete from raw.track")
    load(made_warehouse)
    assert ids_in(made_warehouse) == ["a"]


def test_to_attach_and_to_ask_takes_few_statements_however_many_tables_there_are(
    made_warehouse: Settings, postgres: Server
) -> None:
    def statements(do: Callable[[], object]) -> int:
        before = postgres.statements()
        do()
        return postgres.statements() - before

    def attach() -> None:
        connect(made_warehouse, read_only=True).close()

    def ask() -> None:
        with connect(made_warehouse, read_only=True) as con:
            con.execute("select count(*) from raw.track").fetchall()

    few = statements(attach), statements(ask)
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute("begin")
        for number in range(40):
            con.execute(f"create table raw.more_{number} (one int, two varchar)")
        con.execute("commit")
    many = statements(attach), statements(ask)

    assert many == few
    # those of the protocol included; docs/scaling.md
    assert few[0] <= 45
    assert few[1] <= 65


# --- a rebuilt catalog takes the place of the old one


def test_readers_at_a_rebuild_read_the_old_or_the_new_and_the_old_is_kept(
    made_warehouse: Settings, postgres: Server
) -> None:
    land(made_warehouse, "a")
    load(made_warehouse)
    beside = rebuild_module._beside(made_warehouse)  # noqa: SLF001
    with writer_lock(beside), connect(beside) as con:
        create_raw_tables(con)
        con.execute("create table raw.more (one int)")
    new = rows(beside, "select count(*) from __ducklake_metadata_seamline.ducklake_table")
    count = "select count(*) from __ducklake_metadata_seamline.ducklake_table"
    with connect(made_warehouse, read_only=True) as reader:
        reader.execute("begin")
        (old,) = reader.execute(count).fetchone() or (0,)
        assert reader.execute("select message_id from raw.track").fetchall() == [("a",)]

        rebuild_module._take_its_place(made_warehouse, beside)  # noqa: SLF001

        assert reader.execute(count).fetchone() == (old,)
        assert reader.execute("select message_id from raw.track").fetchall() == [("a",)]
        reader.execute("commit")
    assert rows(made_warehouse, count) == new != [(old,)]
    assert ids_in(made_warehouse) == []
    with postgres.session() as con:
        names = con.execute(
            "select nspname from pg_namespace where starts_with(nspname, %s)",
            [made_warehouse.catalog_schema],
        ).fetchall()
    kept = {name.removeprefix(made_warehouse.catalog_schema) for (name,) in names}
    assert "" in kept
    assert len(kept) == 2
    assert any(re.fullmatch(r"_before_\d{8}t\d{6}_\d{6}z", name) for name in kept)


def test_a_catalog_that_is_damaged_gives_way(made_warehouse: Settings, postgres: Server) -> None:
    beside = rebuild_module._beside(made_warehouse)  # noqa: SLF001
    with writer_lock(beside), connect(beside) as con:
        create_raw_tables(con)
    with postgres.session() as con:
        con.execute(f"drop table {made_warehouse.catalog_schema}.ducklake_table")

    rebuild_module._take_its_place(made_warehouse, beside)  # noqa: SLF001

    land(made_warehouse, "a")
    load(made_warehouse)
    assert ids_in(made_warehouse) == ["a"]
