"""Whether everything that was sent is where it belongs, exactly once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from demo.events import Message


@dataclass(frozen=True)
class Arrivals:
    """How often each `message_id` of a demo is in the tables of each call.

    Attributes:
        raw: In the raw table, of what was received since the demo began to send.
        final: In the final table, whenever it was received.
    """

    raw: Mapping[str, Counter[str]]
    final: Mapping[str, Counter[str]]


def judge(sent: Sequence[Message], now: Arrivals) -> list[str]:
    """Compare what was sent with what has arrived.

    A client may send a batch once more than it was told to, so more copies in raw are right;
    fewer are not. In the final table one row is right, and nothing else is.

    Args:
        sent: Every message, copies included.
        now: What is in the warehouse.

    Returns:
        A line for each kind of thing that is wrong; none if nothing is.
    """
    problems = []
    for call in dict.fromkeys(message.call for message in sent):
        copies = Counter(message.message_id for message in sent if message.call == call)
        raw, final = now.raw[call], now.final[call]
        lost = [key for key, count in copies.items() if raw[key] < count]
        absent = [key for key in copies if final[key] == 0]
        double = [key for key in copies if final[key] > 1]
        astray = [key for key in final if key not in copies]
        problems += [
            *_line(call, lost, "not in raw as often as sent"),
            *_line(call, absent, "not in the table"),
            *_line(call, double, "in the table more than once"),
            *_line(call, astray, "in this table but sent by another call"),
        ]
    return problems


def arrived(messages: Iterable[Message], now: Arrivals) -> tuple[int, int]:
    """How far the messages are.

    Args:
        messages: Every message, copies included.
        now: What is in the warehouse.

    Returns:
        How many of the messages are in raw, and how many of the events in the final tables.
    """
    wanted = Counter((message.call, message.message_id) for message in messages)
    raw = sum(min(count, now.raw[call][key]) for (call, key), count in wanted.items())
    return raw, sum(1 for call, key in wanted if now.final[call][key])


def _line(call: str, keys: list[str], what: str) -> list[str]:
    return [f"{call}: {len(keys)} {what}, such as {keys[0]}"] if keys else []
