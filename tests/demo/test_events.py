"""The demo's events: all five calls, some of them twice, the same for the same seed."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, date, datetime

from segment.analytics.client import Client

from demo.events import FEWEST, SHARES, Message, generate

DAY = date(2026, 11, 22)


def distinct(messages: list[Message]) -> dict[str, Message]:
    """The messages by `message_id`, each once."""
    return {message.message_id: message for message in messages}


def test_the_same_seed_gives_the_same_messages() -> None:
    assert generate(7, 1000, DAY) == generate(7, 1000, DAY)


def test_another_seed_gives_none_of_the_same_ids() -> None:
    assert not distinct(generate(7, 1000, DAY)).keys() & distinct(generate(8, 1000, DAY)).keys()


def test_all_five_calls_are_there_in_their_shares() -> None:
    calls = Counter(message.call for message in distinct(generate(7, 1000, DAY)).values())
    assert calls == {call: share * 10 for call, share in SHARES.items()}


def test_one_in_twenty_events_is_sent_again_unchanged() -> None:
    messages = generate(7, 1000, DAY)
    assert (len(messages), len(distinct(messages))) == (1050, 1000)
    first: dict[str, Message] = {}
    for message in messages:
        assert first.setdefault(message.message_id, message) == message


def test_few_events_still_hold_every_call_and_a_copy() -> None:
    messages = generate(7, FEWEST, DAY)
    assert {message.call for message in messages} == SHARES.keys()
    assert (len(messages), len(distinct(messages))) == (21, 20)


def test_the_events_happened_the_day_before() -> None:
    moments = [message.arguments["timestamp"] for message in generate(7, 200, DAY)]
    assert min(moments) >= datetime(2026, 11, 21, tzinfo=UTC)
    assert max(moments) < datetime(2026, 11, 22, tzinfo=UTC)


def test_segments_own_client_takes_every_one_of_them() -> None:
    client = Client("key", send=False)
    for message in generate(7, 1000, DAY):
        taken, sent = getattr(client, message.call)(
            message_id=message.message_id, **message.arguments
        )
        assert taken
        assert sent["type"] == message.call
        assert uuid.UUID(sent["messageId"]).version == 4


def test_traits_and_properties_vary_and_nest() -> None:
    orders = [
        message.arguments["properties"]
        for message in generate(7, 1000, DAY)
        if message.arguments.get("event") == "Order Completed"
    ]
    assert len({order["total"] for order in orders}) > len(orders) / 2
    assert all(order["products"][0]["price"] > 0 for order in orders)
    assert {order["coupon"] for order in orders} == {None, "WELCOME", "AUTUMN"}
