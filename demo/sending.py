"""Sending the made-up events as an application would: through Segment's own client."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from segment.analytics.client import Client

from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from demo.events import Message
    from stack.settings import Settings

POLL = 0.1


def send(
    messages: Sequence[Message],
    settings: Settings,
    write_key: str,
    tick: Callable[[float], None],
    progress: Callable[[int], None],
) -> float:
    """Send all messages to the receiver, and return once it has taken them.

    Args:
        messages: What to send, in this order.
        settings: Where the receiver is.
        write_key: What to send it with.
        tick: Waits, and raises when the stack is to stop.
        progress: Called now and then with how many messages are sent.

    Returns:
        When the last call was made, in `time.monotonic` seconds.

    Raises:
        StackError: The receiver did not take them.
    """
    errors: list[object] = []
    client = Client(
        write_key,
        host=settings.receiver_url,
        max_queue_size=len(messages),
        on_error=lambda error, _batch: errors.append(error),
        proxies={"no_proxy": settings.receiver_host},  # whatever the environment says
    )
    try:
        for message in messages:
            getattr(client, message.call)(message_id=message.message_id, **message.arguments)
        last_call = time.monotonic()
        # not `flush`, which nothing can interrupt
        while left := client.queue.unfinished_tasks:
            progress(len(messages) - left)
            tick(POLL)
    finally:
        client.join()
    if errors:
        raise StackError(f"The receiver did not take the events: {errors[0]}")
    progress(len(messages))
    return last_call
