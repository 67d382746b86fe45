"""The final tables in a PostgreSQL database."""

import datetime as dt
import time

import psycopg
import pytest

from orchestration.export.changes import Exported
from orchestration.export.errors import ExportBusyError, ExportFailedError
from orchestration.export.names import LONGEST_NAME
from orchestration.export.postgres import Target
from orchestration.export.postgres_database import Database as ExportedTo
from orchestration.export.postgres_database import alone
from orchestration.export.run import export_postgres
from orchestration.export.snapshot import TableSnapshot
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.export.database import Database
from tests.export.support import NOTHING, Done, event
from tests.support import landed
from tests.support.postgres import PASSWORD
from tests.support.processes import free_port

pytestmark = pytest.mark.scale


def test_a_table_has_the_rows_columns_and_types_of_ours(database: Database) -> None:
    database.load(
        event("a", 20, price=1, share=0.5, is_new=True, cart=[1, {"b": "\0"}], note="é\0'\"\\"),
        event("b", 21),
    )

    assert database.export() == Done(rows=2, parts=2)

    assert database.exported() == database.table()
    (row,) = database.ask(
        "select properties__price, properties__share, properties__is_new, _sdc_received_at, "
        "properties__cart->1 as second from segment.track where message_id = 'a'"
    )
    assert row["properties__price"] == 1
    assert row["properties__share"] == 0.5
    assert row["properties__is_new"] is True
    assert row["_sdc_received_at"] == dt.datetime(2026, 11, 20, 10)  # noqa: DTZ001 - as the tables
    assert database.export() == NOTHING


def test_only_what_is_new_is_written_and_new_columns_are_added(database: Database) -> None:
    database.load(event("a", 20), event("b", 21))
    database.export()

    database.load(event("c", 21, new="column"), event("a", 22))

    assert database.export() == Done(rows=2, parts=1)
    assert database.exported() == database.table()


def test_a_row_whose_first_copy_comes_late_moves(database: Database) -> None:
    database.load(event("a", 20), event("b", 22), event("c", 21))
    database.export()

    database.load(event("b", 21), event("a", 19))

    assert database.export() == Done(rows=3, parts=2, gone=2)
    assert database.exported() == database.table()


def test_who_was_erased_is_not_there_any_more(database: Database) -> None:
    database.load(
        landed.line({"event": "E", "userId": "gone-55aa"}, message_id="x",
                    received_at="2026-11-20T10:00:00.000000Z"),
        event("a", 20),
    )  # fmt: skip
    database.export()
    database.house.run("forget", "--user-id=gone-55aa")

    assert database.export() == Done(rows=1, parts=1)

    assert database.exported() == database.table()


def test_numbers_that_have_become_fractions_are_so_there(database: Database) -> None:
    database.load(event("a", 20, price=1))
    database.export()
    database.load(event("b", 21, price=1.5))

    assert database.export() == Done(rows=1, parts=1)
    assert database.exported() == database.table()
    assert database.ask("select sum(properties__price) as total from segment.track") == [
        {"total": 2.5}
    ]


def test_a_death_at_any_statement_leaves_the_table_as_it_was_or_is(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.load(event("a", 20), event("b", 22))
    database.export()
    before = database.exported()
    database.load(event("b", 21, new=1), event("c", 20), event("d", 23))
    do, deaths = ExportedTo.do, 0
    while True:
        left = deaths

        def mortal(self: ExportedTo, statement: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise RuntimeError("killed")
            do(self, statement)

        with monkeypatch.context() as patched:
            patched.setattr(ExportedTo, "do", mortal)
            try:
                database.export()
                break
            except RuntimeError:
                deaths += 1
        found = database.exported()
        if found == database.table():
            break
        assert found == before
    database.export()
    assert deaths > 5
    assert database.exported() == database.table()
    assert database.export() == NOTHING


def test_names_longer_than_postgresql_has_stay_different(database: Database) -> None:
    long = "a_property_with_a_name_that_goes_on_and_on_for_more_than_sixty_three_bytes"
    database.load(event("a", 20, **{f"{long}_1": 1, f"{long}_2": 2, "größe": 3}))

    database.export()

    names = database.names()
    first, second = (names[f"properties__{long}_{n}"] for n in (1, 2))
    assert database.ask(
        f'select "{first}" as a, "{second}" as b, "properties__größe" as c from segment.track'
    ) == [{"a": 1, "b": 2, "c": 3}]
    assert len(first.encode()) == LONGEST_NAME


def test_what_any_sender_calls_a_field_or_an_event_stops_no_table(database: Database) -> None:
    names = ("xmin", "ctid", "tableoid", "XMAX")
    odd = landed.line(
        {"event": "E", **dict.fromkeys(names, 1)}, message_id="ü" * 1000,
        received_at="2026-11-20T10:00:00.000000Z",
    )  # fmt: skip
    database.load(odd, event("a", 20))

    assert database.export() == Done(rows=2, parts=1)

    assert len(database.exported()) == 2
    assert database.export() == NOTHING


def test_a_column_that_is_gone_goes_and_one_of_a_users_stays(database: Database) -> None:
    database.load(event("a", 20, note="x"))
    database.export()
    with psycopg.connect(database.address) as con:
        con.execute("alter table segment.track add column mine int")
    (database.house.folder / "columns.yml").write_text(
        "fields:\n- path: properties.note\n  leave_out: true\n"
    )
    database.house.run("replay", "--table", "track")

    database.export()

    names = {
        row["column_name"]
        for row in database.ask(
            "select column_name from information_schema.columns where table_name = 'track'"
        )
    }
    assert "properties__note" not in names
    assert "mine" in names


def test_a_type_that_a_user_has_given_a_column_there_stays_with_its_values(
    database: Database,
) -> None:
    database.load(event("a", 20, cart=[1]))
    database.export()
    with psycopg.connect(database.address) as con:
        con.execute("alter table segment.track alter column properties__cart type jsonb")

    database.load(event("b", 21, cart=[2]))
    database.export()

    assert database.ask(
        "select properties__cart as cart from segment.track order by message_id"
    ) == [{"cart": [1]}, {"cart": [2]}]


def test_a_server_that_ends_idle_sessions_leaves_an_export_its_lock(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.load(event("a", 20))
    with psycopg.connect(database.address, autocommit=True) as con:
        con.execute("alter role seamline set idle_session_timeout = '200ms'")
    export = Target.export

    def slowly(self: Target, table: TableSnapshot) -> Exported:
        time.sleep(1)
        with pytest.raises(ExportBusyError), alone(database.address, "segment"):
            pass
        return export(self, table)

    monkeypatch.setattr(Target, "export", slowly)
    try:
        assert database.export() == Done(rows=1, parts=1)
    finally:
        with psycopg.connect(database.address, autocommit=True) as con:
            con.execute("alter role seamline reset idle_session_timeout")


def test_a_column_of_a_users_type_is_text(database: Database) -> None:
    database.load(event("a", 20))
    with writer_lock(database.house.settings), connect(database.house.settings) as con:
        con.execute("alter table segment.track add column days date[]")
        con.execute("update segment.track set days = [date '2026-11-20']")

    database.export()

    assert database.ask("select days from segment.track") == [{"days": "[2026-11-20]"}]


def test_values_are_in_no_message(database: Database) -> None:
    database.load(event("a", 20, email="ann@example.com"))
    database.export()
    with psycopg.connect(database.address) as con:
        con.execute("create unique index on segment.track (properties__email)")
    database.load(event("b", 20, email="ann@example.com"))

    with pytest.raises(ExportFailedError, match="unique") as failed:
        database.export()

    assert "ann@" not in str(failed.value)


def test_views_of_a_users_on_it_stay(database: Database) -> None:
    database.load(event("a", 20, price=1))
    database.export()
    with psycopg.connect(database.address) as con:
        con.execute("create view mine as select message_id from segment.track")

    database.load(event("b", 21, price=2, new="column"))
    database.export()

    assert len(database.ask("select * from mine")) == 2


def test_one_table_that_cannot_be_exported_keeps_no_other_from_it(database: Database) -> None:
    database.load(event("a", 20))
    with psycopg.connect(database.address) as con:
        con.execute("create schema segment")
        con.execute("create view segment.alias as select 1 as one")

    done = []
    with pytest.raises(ExportFailedError, match=r"^Not exported: alias\. SEAMLINE_EXPORT_POSTGRES"):
        done.extend(table for table, _ in export_postgres(database.settings))

    assert database.ask("select count(*) as rows from segment.track") == [{"rows": 1}]


def test_two_exports_do_not_meet(database: Database) -> None:
    database.load(event("a", 20))
    with (
        alone(database.address, "segment"),
        pytest.raises(ExportBusyError, match="Nothing was done"),
    ):
        database.export()
    database.export()


def test_a_database_that_cannot_be_reached_is_said_in_a_line_without_the_password(
    database: Database,
) -> None:
    database.load(event("a", 20))
    nobody = f"postgresql://seamline:{PASSWORD}@127.0.0.1:{free_port()}/lake"
    missing = database.address.replace("/exports", "/nowhere")
    wrong = database.address.replace(PASSWORD, "hunter2")
    for address in (nobody, missing, wrong):
        database.house.environment["SEAMLINE_EXPORT_POSTGRES"] = address
        status, said = database.house.try_run("export")
        assert status == 1
        assert said.startswith("SEAMLINE_EXPORT_POSTGRES: user=seamline")
        assert len(said.splitlines()) == 1
        assert PASSWORD not in said
        assert "hunter2" not in said
