"""Events on a history: new ones, and copies of old ones, which have to be dropped."""

import random
import sys
from typing import NamedTuple

from benchmarks.history.rows import ROUND, SHARE, message_id, payloads
from benchmarks.landed_events import SHARES, land, land_lines
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from receiver.files.envelope import good_line, received_stamps

COPIES = 500
_BEGIN = 1_767_610_800_000_000
"""When the loads that are measured begin, in microseconds since 1970: behind the history."""


class Old(NamedTuple):
    """An event of the history."""

    call: str
    round: int
    number: int


def land_on_history(settings: Settings, rounds: int, seed: int) -> None:
    """Land 10,000 events, of which 500 are copies of old ones, the oldest event among them."""
    moment = _BEGIN + seed * 3_600_000_000
    land(settings.landing, ROUND - COPIES, seed, begin=moment, again=0)
    copies = old_events(rounds, seed)
    stamps = received_stamps(moment + 1_800_000_000)
    with connect(settings, read_only=True) as con:
        said = {call: payloads(con, call) for call in SHARES}
    for call in SHARES:
        lines = [
            good_line(
                message_id(*old),
                next(stamps),
                None,
                "web",
                said[call][old.number % len(said[call])],
                "browser",
            )
            for old in copies
            if old.call == call
        ]
        land_lines(settings.landing, call, lines, seed, 900_000)


def old_events(rounds: int, seed: int) -> list[Old]:
    """Choose old events, none twice, the oldest first."""
    rng = random.Random(seed)  # noqa: S311 - made-up events
    calls = [call for call, share in SHARES.items() for _ in range(share)]
    chosen = {Old("track", rounds - 1, 0): None}
    while len(chosen) < COPIES:
        call = rng.choice(calls)
        number = rng.randrange(SHARES[call] * SHARE)
        chosen[Old(call, rng.randrange(rounds), number)] = None
    return list(chosen)


def require_dropped(settings: Settings, rounds: int) -> None:
    """See that of the oldest event, which came once more with each load, one row is left.

    Exits:
        There are others, or the row is another copy.
    """
    oldest = message_id("track", rounds - 1, 0)
    with connect(settings, read_only=True) as con:
        rows = con.execute(
            f'select _seamline_file from "{settings.schema_name}".track where message_id = $1',
            [oldest],
        ).fetchall()
        copies = con.execute(
            "select count(*) from raw.track where message_id = $1", [oldest]
        ).fetchall()
    if [("-history-" in file) for (file,) in rows] != [True] or copies < [(2,)]:
        sys.exit(f"The oldest event, {oldest}, has the rows {rows} of {copies} copies.")
