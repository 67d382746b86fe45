"""What the demo prints at its end is of the schema that newcomers should use."""

import duckdb
import pytest

from demo.report import show_rows


def test_the_rows_are_of_the_relation_of_the_event_that_was_sent_most(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with duckdb.connect() as con:
        con.execute("create schema w")
        con.execute("create table w.tracks (id varchar, event varchar)")
        con.execute("insert into w.tracks values ('a', 'seen'), ('b', 'seen'), ('c', 'bought')")
        con.execute("insert into w.tracks select 'x', 'bought' from range(9)")  # of another demo
        for relation in ("seen", "bought"):
            con.execute(f"create table w.{relation} (id varchar, received_at int, name varchar)")
        con.execute("insert into w.seen values ('a', 2, 'Lamp'), ('b', 1, 'Vase'), ('x', 0, 'Old')")

        show_rows(con, "w", ["a", "b", "c"])

    printed = capsys.readouterr().out
    assert "A few rows of w.seen" in printed
    assert printed.index("Vase") < printed.index("Lamp")
    assert "Old" not in printed
