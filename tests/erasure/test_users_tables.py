"""An erasure rewrites no table that a user made, and names each that still has the person."""

import pytest

from orchestration.erasure.erase import forget
from orchestration.erasure.users_tables import rows_left
from orchestration.loading.people import USER, Id, People
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House

ALICE, NUMBER = Id(USER, "alice-77f0"), Id(USER, "42007")

WITH_ALICE = {
    "a column": "select unnest(['alice-77f0', 'bob']) as visitor",
    "two rows": "select 'alice-77f0' as user_id from range(2)",
    "JSON": """select '{"friends": ["alice-77f0"]}'::json as payload""",
    "JSON as text": """select '{"userId":"alice-77f0"}' as payload""",
    "a list": "select ['bob', 'alice-77f0'] as users",
    "a struct": "select {'id': 'alice-77f0'} as who",
    'a "name"': 'select \'alice-77f0\' as "a ""name"""',
    "a number": "select 42007 as user_id",
    "a number beside fractions": "select unnest([42007, 0.5])::double as n",
    "a number as text": "select '42007' as user_id",
}

WITHOUT = {
    "others": "select 'bob' as user_id, 7 as n, now() as at",
    "a longer id": "select 'alice-77f01' as user_id, ['x-alice-77f0'] as users",
    "a fraction": "select 42007.5 as total",
    "a double": "select 42007.5::double as total",
    "nothing": "select 'x' as a where false",
}


@pytest.mark.long
def test_a_table_of_a_users_with_the_person_is_named_with_its_rows(empty: House) -> None:
    empty.land("track", landed.line({"messageId": "a", "userId": ALICE.text}))
    empty.load()
    with writer_lock(empty.settings), connect(empty.settings) as con:
        con.execute("create schema segment_analytics")
        for name, query in (WITH_ALICE | WITHOUT).items():
            quoted = name.replace('"', '""')
            con.execute(f'create table segment_analytics."{quoted}" as {query}')
        con.execute("create table raw.notes as select 'alice-77f0' as about")
        con.execute("create schema if not exists segment")
        con.execute("create table segment.identify__history as select 'alice-77f0' as user_id")

    done = forget(empty.settings, {ALICE, NUMBER})

    assert done.rows_left == {
        **{f"segment_analytics.{name}": 2 if name == "two rows" else 1 for name in WITH_ALICE},
        "raw.notes": 1,
        "segment.identify__history": 1,
    }
    report = "\n".join(done.report())
    assert "segment_analytics.two rows still has 2 rows with an id: it is your own" in report
    assert ALICE.text not in report


def test_nothing_is_named_of_whom_no_id_is_known(empty: House) -> None:
    empty.load()
    with connect(empty.settings, read_only=True) as con:
        assert rows_left(con, empty.settings, People(b"a key", set())) == {}
