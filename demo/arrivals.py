"""Whether everything that was sent is where it belongs, exactly once."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import duckdb

from demo.events import SHARES, Key


@dataclass(frozen=True)
class Arrivals:
    """How often each message of a demo is in the tables of its call.

    Attributes:
        raw: In the raw table, of what was received since the demo began to send. (In a final table
            the row may be that of an earlier demo with the same seed: the first copy wins.)
        final: In the final table, whenever it was received.
    """

    raw: Counter[Key]
    final: Counter[Key]


def read(
    con: duckdb.DuckDBPyConnection, schema: str, message_ids: Iterable[str], since: datetime
) -> Arrivals:
    """Count the rows of these messages in the raw and the final table of each call.

    Args:
        con: A connection to the warehouse.
        schema: The schema of the final tables.
        message_ids: Whose rows to count.
        since: When the demo began to send.
    """
    found = Arrivals(Counter(), Counter())
    mine = "where message_id in (select unnest($1::varchar[]))"
    places = (("raw", f"{mine} and received_at >= $2::timestamp"), (schema, mine))
    # one query for all tables: it takes a fifth of the time of ten
    rows = con.execute(
        " union all ".join(
            f"select {is_final}, '{call}', message_id, count(*)"  # noqa: S608 - names of our own
            f' from {place}."{call}" {condition} group by message_id'
            for is_final, (place, condition) in enumerate(places)
            for call in SHARES
        ),
        [list(message_ids), since.replace(tzinfo=None)],
    )
    for is_final, call, message_id, count in rows.fetchall():
        (found.final if is_final else found.raw)[call, message_id] = count
    return found


def judge(sent: Counter[Key], now: Arrivals) -> list[str]:
    """Compare what was sent with what has arrived.

    A client may send a batch once more than it was told to, so more copies in raw are right;
    fewer are not. In the final table one row is right, and nothing else is.

    Args:
        sent: How often each message was.
        now: What is in the warehouse.

    Returns:
        A line for each kind of thing that is wrong; none if nothing is.
    """
    wrong = {
        "not in raw as often as sent": [key for key in sent if now.raw[key] < sent[key]],
        "not in the table": [key for key in sent if not now.final[key]],
        "in the table more than once": [key for key in sent if now.final[key] > 1],
        "in this table but sent by another call": [key for key in now.final if key not in sent],
    }
    problems = []
    for what, keys in wrong.items():
        by_call = defaultdict(list)
        for call, message_id in keys:
            by_call[call].append(message_id)
        for call, ids in by_call.items():
            problems.append(f"{call}: {len(ids)} {what}, such as {ids[0]}")
    return problems


def arrived(sent: Counter[Key], now: Arrivals) -> tuple[int, int]:
    """How many of the messages are in raw, and how many of the events in the final tables."""
    return (sent & now.raw).total(), sum(key in now.final for key in sent)
