"""Made-up events of a made-up shop, the same ones for the same seed. No person is behind them."""

import random
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from demo.shop import Shop

SHARES = {"group": 6, "identify": 14, "page": 26, "screen": 14, "track": 40}
"""Of a hundred events, how many are of which call."""

FEWEST = 20
"""So few still hold every call, and a copy."""

SENT_AGAIN = 0.05
FURTHEST_COPY = 200
"""How many messages at most lie between an event and its copy."""


Key = tuple[str, str]
"""A call and a `message_id`."""


@dataclass(frozen=True)
class Message:
    """One call of Segment's client: its name, its `message_id`, and the other arguments."""

    call: str
    message_id: str
    arguments: dict[str, Any]

    @property
    def key(self) -> Key:
        """Whose row in which table it is."""
        return self.call, self.message_id


def generate(seed: int, count: int, day: date) -> list[Message]:
    """Make up the messages of one demo.

    Args:
        seed: The same seed, count and day give the same messages.
        count: How many different events, at least `FEWEST`.
        day: The events happen on the day before.

    Returns:
        The messages in the order to send them in: `count` different ones and, among them, about
        5 % a second time.
    """
    rng = random.Random(seed)  # noqa: S311 - made-up events, no keys
    calls = _calls(rng, count)
    noon = datetime.combine(day, time(), UTC) - timedelta(hours=12)
    moments = sorted(noon + timedelta(seconds=rng.uniform(-36_000, 36_000)) for _ in calls)
    shop = Shop(rng)
    events = [
        Message(
            call=call,
            message_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            arguments=shop.visit(call) | {"timestamp": moment},
        )
        for call, moment in zip(calls, moments, strict=True)
    ]
    return _with_copies(rng, events)


def _calls(rng: random.Random, count: int) -> list[str]:
    """So many calls, at least one of each, in their shares and in random order."""
    calls = [call for call, share in SHARES.items() for _ in range(max(1, count * share // 100))]
    calls += ["track"] * (count - len(calls))
    rng.shuffle(calls)
    return calls


def _with_copies(rng: random.Random, events: list[Message]) -> list[Message]:
    """Put a copy of some of the events a while behind them."""
    again = set(rng.sample(range(len(events)), round(len(events) * SENT_AGAIN)))
    placed = [(float(place), event) for place, event in enumerate(events)]
    placed += [(place + rng.uniform(0.5, FURTHEST_COPY), events[place]) for place in sorted(again)]
    placed.sort(key=lambda pair: pair[0])
    return [event for _, event in placed]
