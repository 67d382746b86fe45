"""What the demo prints at its end."""

from collections import Counter
from collections.abc import Iterable, Sequence

import duckdb
from rich.console import Console
from rich.table import Table

from demo.arrivals import Arrivals
from demo.events import SHARES, Key
from stack.output import say

WIDE = 140
HEADER = ("table", "messages sent", "rows of this demo", "duplicates dropped", "rows in all")

SHOWN = (
    "received_at",
    "user_id",
    "name",
    "price",
    "quantity",
    "order_id",
    "total",
    "method",
    "context_campaign_name",
)
"""Columns of events worth showing, as far as they are there."""


def show_tables(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    sent: Counter[Key],
    before: Arrivals,
    now: Arrivals,
) -> None:
    """Print the rows of each final table, and how many copies were dropped on the way.

    Args:
        con: A connection to the warehouse.
        schema: The schema of the final tables.
        sent: How often each message of this demo was.
        before: What was in the warehouse before.
        now: What is in it of this demo.
    """
    counts: dict[str, tuple[int, ...]] = {}
    for call in SHARES:
        messages, raw, mine, mine_before = (
            sum(count for key, count in counter.items() if key[0] == call)
            for counter in (sent, now.raw, now.final, before.final)
        )
        row = con.execute(f'select count(*) from {schema}."{call}"').fetchone()  # noqa: S608
        counts[call] = (messages, mine, raw - (mine - mine_before), row[0] if row else 0)
    counts["all"] = tuple(map(sum, zip(*counts.values(), strict=True)))
    _print_table("", HEADER, [(name, *numbers) for name, numbers in counts.items()])


def show_rows(con: duckdb.DuckDBPyConnection, schema: str, message_ids: Iterable[str]) -> None:
    """Print a few of these messages' rows, of the event that most of them are.

    Args:
        con: A connection to the warehouse.
        schema: The schema with a relation for each event.
        message_ids: Whose rows to print.
    """
    ids = list(message_ids)
    mine = "where id in (select unnest($1::varchar[]))"
    ((event,),) = con.execute(
        f"select mode(event) from {schema}.tracks {mine}",  # noqa: S608 - names of our own
        [ids],
    ).fetchall()
    relation = f'{schema}."{event}"'
    names = {name for name, *_ in con.execute(f"describe {relation}").fetchall()}
    columns = [name for name in SHOWN if name in names]
    rows = con.execute(
        f"select {', '.join(columns)} from {relation} {mine} order by received_at, id limit 5",  # noqa: S608 - as above
        [ids],
    ).fetchall()
    _print_table(f"A few rows of {schema}.{event}", columns, rows)


def _print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    table = Table(*header, title=title or None, title_justify="left")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    say()
    console.print(table)
