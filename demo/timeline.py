"""One demo's events on their way, from the call in an application to the row in its table."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import duckdb
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from segment.analytics.client import Client

from demo import report
from demo.arrivals import Arrivals, arrived, judge, read
from demo.events import generate
from landed.progress import Bars
from orchestration.warehouse.writer_lock import is_held
from receiver.senders.sources import load_sources
from stack.errors import StackError
from stack.output import say
from stack.ready import last_failure
from stack.settings import Settings

POLL = 1.0
POLL_CLIENT = 0.1


class Timeline:
    """One demo on a stack that is up."""

    def __init__(
        self,
        settings: Settings,
        con: duckdb.DuckDBPyConnection,
        tick: Callable[[float], None],
        *,
        events: int,
        seed: int,
        deadline: float,
    ) -> None:
        """Make up the events, and look what the warehouse has of them from an earlier time.

        Args:
            settings: Of all parts.
            con: A connection to the warehouse.
            tick: Waits, and raises when the stack is to stop.
            events: How many different ones to send.
            seed: The same seed sends the same events.
            deadline: When to give up, in `time.monotonic` seconds.
        """
        self._settings = settings
        self._con = con
        self._tick = tick
        self._seed = seed
        self._deadline = deadline
        self._schema = settings.schema_name
        self._began = datetime.now(UTC)
        self._messages = generate(seed, events, self._began.date())
        self._sent = Counter(message.key for message in self._messages)
        self._ids = [message_id for _, message_id in self._sent]
        self._before = self._read()

    def show(self) -> list[str]:
        """Send everything, wait for it, and print what came of it.

        Returns:
            What is wrong, a line each; nothing if every event has arrived exactly once.
        """
        messages, events = len(self._messages), len(self._ids)
        say(f"Sending {events} events and {messages - events} copies (--seed {self._seed})")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Bars(
            *columns,
            TimeElapsedColumn(),
            line=lambda task: f"{task.description}: {task.completed:.0f} of {task.total:.0f}",
            seconds=2,
        ) as bars:
            sent = bars.add_task("sent", total=messages)
            in_raw = bars.add_task("in raw", total=messages)
            in_tables = bars.add_task("in the tables", total=events)
            began = time.monotonic()
            last_call = self._send(lambda number: bars.reach(sent, number))
            taken = time.monotonic()
            self._wait_for_rows(bars, in_raw, in_tables)
            last_row = time.monotonic()
        self._wait_for_quiet()
        problems = self._report()
        say(f"The receiver took them in {taken - began:.1f} s.")
        say(f"The last row was there {last_row - last_call:.1f} s after the last call.")
        return problems

    def _send(self, progress: Callable[[int], None]) -> float:
        """Send as an application would, and return once the receiver has taken all of it.

        Returns:
            When the last call was made, in `time.monotonic` seconds.
        """
        errors: list[object] = []
        client = Client(
            first_write_key(self._settings.sources),
            host=self._settings.receiver_url,
            max_queue_size=len(self._messages),
            on_error=lambda error, _batch: errors.append(error),
            proxies={"no_proxy": self._settings.receiver_host},  # whatever the environment says
        )
        try:
            for message in self._messages:
                getattr(client, message.call)(message_id=message.message_id, **message.arguments)
            last_call = time.monotonic()
            # not `flush`, which nothing can interrupt
            while left := client.queue.unfinished_tasks:
                progress(len(self._messages) - left)
                self._tick(POLL_CLIENT)
        finally:
            client.join()
        if errors:
            raise StackError(f"The receiver did not take the events: {errors[0]}")
        progress(len(self._messages))
        return last_call

    def _read(self) -> Arrivals:
        return read(self._con, self._schema, self._ids, self._began)

    def _wait_for_rows(self, bars: Bars, in_raw: TaskID, in_tables: TaskID) -> None:
        while True:
            now = self._read()
            raw, tables = arrived(self._sent, now)
            bars.reach(in_raw, raw)
            bars.reach(in_tables, tables)
            problems = judge(self._sent, now)
            if not problems:
                return
            if time.monotonic() > self._deadline:
                self._give_up(problems)
            self._tick(POLL)

    def _give_up(self, problems: list[str]) -> NoReturn:
        landing = self._settings.landing
        waiting = sum(1 for _ in landing.glob("*/*.ndjson*"))
        failure = last_failure(self._settings)
        lines = [
            "Gave up, as the time is over (--timeout):",
            *(f"  {problem}" for problem in problems),
            f"{waiting} files wait in {landing}.",
            *([f"Dagster's last run failed: {failure}"] if failure else []),
        ]
        raise StackError("\n".join(lines))

    def _wait_for_quiet(self) -> None:
        """Let whoever brought the last rows make the views on them; the run itself may stay."""
        while is_held(self._settings) and time.monotonic() < self._deadline:
            self._tick(POLL)

    def _report(self) -> list[str]:
        now = self._read()
        report.show_tables(self._con, self._schema, self._sent, self._before, now)
        report.show_rows(self._con, f"{self._schema}_warehouse", self._ids)
        problems = judge(self._sent, now)
        for problem in problems:
            say(f"Wrong: {problem}")
        if not problems:
            say("Every event is in its table exactly once.")
        return problems


def first_write_key(path: Path) -> str:
    """Read a write key to send with.

    Args:
        path: sources.toml.

    Returns:
        The first key for SDKs of the first source that has one.

    Raises:
        StartError: The file cannot be read.
        StackError: There is none.
    """
    sources = load_sources(path)
    for source in filter(None, map(sources.named, sources.names())):
        for key in (*source.server_keys, *source.browser_keys, *source.write_keys):
            return key
    raise StackError(f"{path} has no source with server_keys, which the demo sends with: add one.")
