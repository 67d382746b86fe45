"""What PostgreSQL does not take of one sender keeps nothing of another's from it."""

from collections.abc import Iterator
from itertools import cycle

import psycopg
import pytest

from orchestration.columns.documented import CALLS, RECEIPT, RECEIPT_COLUMNS, documented_fields
from orchestration.export import names as limits
from orchestration.export.errors import ExportFailedError
from orchestration.export.names import FOUND, MORE, is_documented
from orchestration.export.postgres_columns import MOST_COLUMNS
from orchestration.export.postgres_values import TYPES
from tests.export.database import Database
from tests.export.support import NOTHING, Done, event
from tests.support import landed

pytestmark = pytest.mark.scale

WIDEST = {
    "text": "x" * 23,  # PostgreSQL moves out what is longer
    "json": '["' + "x" * 19 + '"]',
    "bigint": 2**63 - 1,
    "double precision": 0.1,
    "timestamp": "2026-11-20 10:00:00",
    "boolean": True,
}
"""Of each type a value that takes the most of a row."""


def _many(beginning: str) -> dict[str, str]:
    return {f"{beginning}{number}": "x" * 17 for number in range(480)}


@pytest.mark.parametrize(
    "fields",
    [{"properties": _many("p")}, _many("_sdc_p")],
    ids=["properties", "named as our own columns are"],
)
def test_an_event_with_more_fields_than_a_row_has_room_for_keeps_nobody_out(
    database: Database, fields: dict[str, object]
) -> None:
    database.load(
        event("a", 20, price=1),
        landed.line({"event": "E", "userId": "gone-55aa"}, message_id="x",
                    received_at="2026-11-20T10:00:00.000000Z"),
    )  # fmt: skip
    database.export()
    wide = landed.line({"event": "E", **fields}, message_id="wide",
                       received_at="2026-11-21T10:00:00.000000Z")  # fmt: skip
    database.load(wide, event("b", 21, price=2))
    database.house.run("forget", "--user-id=gone-55aa")

    assert database.export() == Done(rows=3, parts=2)

    rows = database.ask(f"select message_id, {MORE} as more from segment.track order by 1")
    assert [row["message_id"] for row in rows] == ["a", "b", "wide"]
    assert [row["more"] for row in rows[:2]] == [None, None]
    (row,) = [row for row in database.table() if row["message_id"] == "wide"]
    assert rows[2]["more"] == {
        column: value for column, value in row.items() if column not in database.names()
    }
    assert 0 < len(rows[2]["more"]) < 480
    assert database.export() == NOTHING


@pytest.mark.parametrize("call", CALLS)
def test_a_row_with_the_widest_values_of_any_type_fits(database: Database, call: str) -> None:
    """Also behind columns that were dropped, which PostgreSQL counts, and beside a user's."""
    documented = [field.column for field in documented_fields(call).values()]
    assert all(is_documented(call, one) for one in documented)
    assert _receipt(database, call) == RECEIPT_COLUMNS
    columns = [*documented, *RECEIPT_COLUMNS, *(f"p{number}" for number in range(FOUND)), MORE]
    for kinds in (["text"], ["text", "bigint"], ["json", "double precision"], list(TYPES.values())):
        _fits(database, columns, cycle(kind for kind in kinds if kind in WIDEST))


def _receipt(database: Database, call: str) -> set[str]:
    described = database.house.rows(f'describe segment."{call}"')
    return {name for name, *_ in described if name.startswith(RECEIPT)}


def _fits(database: Database, columns: list[str], kinds: Iterator[str]) -> None:
    typed = dict(zip(columns, kinds, strict=False)) | {f"user{n}": "text" for n in range(10)}
    left = MOST_COLUMNS - len(typed)
    with psycopg.connect(database.address) as con:
        con.execute("drop table if exists wide")
        con.execute(f"create table wide ({', '.join(f'd{n} int' for n in range(left))})".encode())
        dropped = ", ".join(f"drop column d{n}" for n in range(left))
        con.execute(f"alter table wide {dropped}".encode())
        added = ", ".join(f"add column {name} {kind}" for name, kind in typed.items())
        con.execute(f"alter table wide {added}".encode())
        marks = ", ".join(["%s"] * len(typed))
        values = [WIDEST[kind] for kind in typed.values()]
        con.execute(f"insert into wide values ({marks})".encode(), values)


def test_values_that_have_no_column_of_their_own_are_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FOUND", 1)
    database.put(
        "a", 20, own=("varchar", "x"), whole=("bigint", 5), long=("bigint", 2**53 + 1),
        part=("double", 0.1),
        endless=("double", float("inf")), text=("varchar", 'é"\\'), yes=("boolean", True),
        list=("json", '[1, {"b": null}]'), at=("timestamp", "2026-11-20 10:00:00.5"),
    )  # fmt: skip
    database.put("b", 21, own=("varchar", "y"))

    database.export()

    first, second = database.ask(f"select own, {MORE} as more from segment.track order by own")
    assert first["more"] == {
        "whole": 5, "long": 2**53 + 1, "part": 0.1, "endless": "inf", "text": 'é"\\', "yes": True,
        "list": [1, {"b": None}], "at": "2026-11-20 10:00:00.5",
    }  # fmt: skip
    assert (second["own"], second["more"]) == ("y", None)

    database.put("c", 22, whole=("bigint", 3))
    database.run("alter table segment.track alter column whole type double")
    assert database.export() == Done(rows=1, parts=1)


def test_a_time_that_postgresql_does_not_know_is_null(database: Database) -> None:
    database.put("a", 20, at=("timestamp", "9999-01-01 (BC) 00:00:00"))
    database.put("b", 20, at=("timestamp", "4712-01-01 (BC) 00:00:00"))
    database.put("c", 20, at=("timestamp", "infinity"))

    assert database.export() == Done(rows=3, parts=1)
    rows = database.ask("select message_id from segment.track where at is not null")
    assert rows == [{"message_id": "b"}]


def test_an_hour_that_is_not_taken_is_left_out_and_named_and_erasures_are_done(
    database: Database,
) -> None:
    for day in (20, 21, 22):
        database.put(f"{day}", day, size=("varchar", "1"))
    database.put("gone", 21)
    database.export()
    with psycopg.connect(database.address) as con:
        con.execute("alter table segment.track add check (size <> 'secret-too-big')")
    database.put("bad", 21, size=("varchar", "secret-too-big"))
    database.put("good", 22, size=("varchar", "2"))
    database.put("new", 23)
    database.remove("gone")

    for _ in range(2):
        status, said = database.try_export()
        assert status == 1
        assert "1 left out" in said
        assert "Left out: what was received in the hours 2026-11-21T10." in said
        assert "secret-too-big" not in said
        rows = database.ask("select message_id from segment.track order by message_id")
        assert [row["message_id"] for row in rows] == ["20", "21", "22", "good", "new"]

    database.put("last", 23)
    database.remove("21")  # also what is in an hour that is left out
    with pytest.raises(ExportFailedError):
        database.export()
    assert not database.ask("select 1 from segment.track where message_id = '21'")

    database.remove("bad")
    assert database.export() == Done(gone=1)
    assert database.exported() == database.table()
    assert database.export() == NOTHING


def test_hours_between_which_a_row_moves_are_taken_or_left_out_together(
    database: Database,
) -> None:
    database.put("a", 20, size=("varchar", "1"))
    database.put("b", 22, size=("varchar", "1"))
    database.put("c", 23, size=("varchar", "1"))
    database.export()
    before = database.exported()
    with psycopg.connect(database.address) as con:
        con.execute("alter table segment.track add check (size <> '2')")
    database.put("d", 21, size=("varchar", "2"))
    moves = "update segment.track set _sdc_received_at = $1 where message_id = $2"
    database.run(moves, "2026-11-21 10:00:00", "b")
    database.run(moves, "2026-11-19 10:00:00", "a")

    with pytest.raises(ExportFailedError, match="2026-11-21T10, 2026-11-22T10"):
        database.export()

    moved = {"a": {"_sdc_received_at": database.table()[0]["_sdc_received_at"]}}
    assert database.exported() == [row | moved.get(row["message_id"], {}) for row in before]
    database.remove("d")
    database.export()
    assert database.exported() == database.table()


def test_a_table_that_has_had_all_its_columns_takes_rows_with_new_ones(
    database: Database,
) -> None:
    database.put("a", 20, first=("bigint", 1))
    database.export()
    with psycopg.connect(database.address) as con:
        for _ in range(2):
            con.execute(
                b"alter table segment.track " + b", ".join(b"add d%d int" % n for n in range(700))
            )
            con.execute(
                b"alter table segment.track " + b", ".join(b"drop d%d" % n for n in range(700))
            )
    many = {f"p{number}": ("bigint", number) for number in range(150)}
    database.put("b", 21, first=("bigint", 2), **many)

    assert database.export() == Done(rows=1, parts=1)

    row = database.exported()[1]
    assert row["first"] == 2
    assert all(name in row or f'"{name}":{value}' in row[MORE] for name, (_, value) in many.items())
    assert MORE in row
    assert database.export() == NOTHING


def test_a_table_that_somebody_removed_is_made_again(database: Database) -> None:
    database.put("a", 20)
    database.export()
    with psycopg.connect(database.address) as con:
        con.execute("drop table segment.track")
    database.put("b", 21)

    assert database.export() == Done(rows=2, parts=2)
    assert database.exported() == database.table()


@pytest.mark.parametrize("column", ["own", MORE])
def test_a_column_that_somebody_removed_is_filled_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    monkeypatch.setattr(limits, "FOUND", 1)
    database.put("a", 20, own=("bigint", 1), other=("varchar", "x"))
    database.put("b", 21, own=("bigint", 2))
    database.export()
    before = database.exported()
    with psycopg.connect(database.address) as con:
        con.execute(f"alter table segment.track drop column {column}".encode())

    assert database.export() == Done(rows=2, parts=2)

    assert database.exported() == before
    assert before[0][MORE]
    assert database.export() == NOTHING


def test_a_column_that_somebody_removed_comes_back_with_the_type_it_has_by_then(
    database: Database,
) -> None:
    database.put("a", 20, price=("bigint", 1))
    database.export()
    with psycopg.connect(database.address) as con:
        con.execute("alter table segment.track drop column price")
    database.run("alter table segment.track alter column price type double")
    database.put("b", 21, price=("double", 1.5))

    database.export()

    assert database.exported() == database.table()


def test_a_table_of_that_name_that_is_no_export_stays(database: Database) -> None:
    database.put("a", 20)
    with psycopg.connect(database.address) as con:
        con.execute("create schema segment")
        con.execute("create table segment.track (message_id text)")

    with pytest.raises(ExportFailedError, match="no export of ours has made it"):
        database.export()


def test_a_view_in_the_way_of_a_type_keeps_out_what_does_not_fit_alone(
    database: Database,
) -> None:
    database.put("a", 20, price=("bigint", 1))
    database.export()
    with psycopg.connect(database.address) as con:
        con.execute("create view mine as select price from segment.track")
    database.run("alter table segment.track alter column price type double")
    database.put("b", 21, price=("double", 1.5))
    database.put("c", 22, price=("double", 2.0))

    with pytest.raises(ExportFailedError, match=r"a view.*price.*hours 2026-11-21T10\."):
        database.export()
    assert [row["message_id"] for row in database.exported()] == ["a", "c"]

    with psycopg.connect(database.address) as con:
        con.execute("drop view mine")
    assert database.export() == Done(rows=1, parts=1)
    assert database.exported() == database.table()


def test_no_sender_takes_the_column_of_another(database: Database) -> None:
    """Not by the name that a long one is given, nor by that of a user's own column."""
    long = "properties__shipping_address_of_the_recipient_as_given_at_checkout_in_full"
    database.put("a", 20, **{long: ("varchar", "real")})
    database.export()
    name = database.names()[long]
    with psycopg.connect(database.address) as con:
        con.execute("alter table segment.track add column mine int default 7")

    database.put("b", 20, **{name: ("varchar", "forged"), "mine": ("varchar", "forged")})
    database.export()

    rows = database.ask(f'select "{name}" as address, mine from segment.track order by message_id')
    assert rows == [{"address": "real", "mine": 7}, {"address": None, "mine": 7}]
    forged = database.names()
    assert len({*forged.values()}) == len(forged)
    assert database.ask(
        f'select "{forged[name]}" as a, "{forged["mine"]}" as b from segment.track '
        "where message_id = 'b'"
    ) == [{"a": "forged", "b": "forged"}]


def test_a_column_that_becomes_double_does_so_in_place(database: Database) -> None:
    for day in range(1, 6):
        database.put(f"{day}", day, price=("bigint", day))
    database.export()

    database.run("alter table segment.track alter column price type double")
    database.put("half", 6, price=("double", 1.5))

    assert database.export() == Done(rows=1, parts=1)
    assert database.exported() == database.table()
    assert database.export() == NOTHING


def test_a_column_that_gets_another_type_has_the_hours_written_that_have_a_value_in_it(
    database: Database,
) -> None:
    database.put("a", 20, size=("bigint", 1))
    database.put("b", 21)
    database.export()
    database.run("alter table segment.track drop column size")
    database.run("alter table segment.track add column size varchar")
    database.run("update segment.track set size = 'large' where message_id = 'a'")

    assert database.export() == Done(rows=1, parts=1)
    assert database.exported() == database.table()
