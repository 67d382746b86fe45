"""One demo's events on their way, from the call in an application to the row in its table."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from demo import arrivals, report
from demo.events import distinct, generate
from demo.outcome import arrived, judge
from demo.progress import Steps
from demo.sending import send
from stack import sources
from stack.errors import StackError
from stack.output import say
from stack.ready import last_failure, run_on_its_way

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

    from demo.outcome import Arrivals
    from stack.settings import Settings

POLL = 1.0
SENT, IN_RAW, IN_TABLES = "sent", "in raw", "in the tables"


@dataclass(frozen=True)
class Plan:
    """What a demo sends, and how many seconds it waits for that to arrive."""

    events: int
    seed: int
    timeout: float


class Timeline:
    """One demo on a stack that is up."""

    def __init__(
        self,
        settings: Settings,
        plan: Plan,
        con: duckdb.DuckDBPyConnection,
        tick: Callable[[float], None],
        deadline: float,
    ) -> None:
        """Make up the events, and look what the warehouse has of them from an earlier time.

        Args:
            settings: Of all parts.
            plan: What to send.
            con: A connection to the warehouse.
            tick: Waits, and raises when the stack is to stop.
            deadline: When to give up, in `time.monotonic` seconds.
        """
        self._settings = settings
        self._plan = plan
        self._con = con
        self._tick = tick
        self._deadline = deadline
        self._schema = settings.orchestration.schema_name
        self._began = datetime.now(UTC)
        self._sent = generate(plan.seed, plan.events, self._began.date())
        self._ids = list(distinct(self._sent))
        self._before = self._read()

    def show(self) -> list[str]:
        """Send everything, wait for it, and print what came of it.

        Returns:
            What is wrong, a line each; nothing if every event has arrived exactly once.
        """
        copies = len(self._sent) - len(self._ids)
        say(f"Sending {len(self._ids)} events and {copies} copies (--seed {self._plan.seed})")
        ends = {SENT: len(self._sent), IN_RAW: len(self._sent), IN_TABLES: len(self._ids)}
        with Steps(ends) as steps:
            began = time.monotonic()
            last_call = self._send(steps)
            taken = time.monotonic()
            self._wait_for_rows(steps)
            last_row = time.monotonic()
        self._wait_for_quiet()
        problems = self._report()
        say(f"The receiver took them in {taken - began:.1f} s.")
        say(f"The last row was there {last_row - last_call:.1f} s after the last call.")
        return problems

    def _send(self, steps: Steps) -> float:
        write_key = sources.first_write_key(self._settings.receiver.sources)

        def progress(number: int) -> None:
            steps.reach(SENT, number)

        return send(self._sent, self._settings, write_key, self._tick, progress)

    def _read(self) -> Arrivals:
        return arrivals.read(self._con, self._schema, self._ids, self._began)

    def _wait_for_rows(self, steps: Steps) -> None:
        while True:
            now = self._read()
            in_raw, in_tables = arrived(self._sent, now)
            steps.reach(IN_RAW, in_raw)
            steps.reach(IN_TABLES, in_tables)
            problems = judge(self._sent, now)
            if not problems:
                return
            if time.monotonic() > self._deadline:
                self._give_up(problems)
            self._tick(POLL)

    def _give_up(self, problems: list[str]) -> NoReturn:
        landing = self._settings.receiver.landing
        waiting = sum(1 for _ in landing.glob("*/*.ndjson*"))
        lines = "\n".join(f"  {problem}" for problem in problems)
        failure = last_failure(self._settings)
        raise StackError(
            f"Gave up after {self._plan.timeout:g} s (--timeout):\n{lines}\n"
            f"{waiting} files wait in {landing}."
            + (f"\nDagster's last run failed: {failure}" if failure else "")
        )

    def _wait_for_quiet(self) -> None:
        """Let the run that loaded the last rows end, so that nothing can still be added."""
        while run_on_its_way(self._settings) and time.monotonic() < self._deadline:
            self._tick(POLL)

    def _report(self) -> list[str]:
        now = self._read()
        report.show_tables(self._sent, self._before, now, arrivals.totals(self._con, self._schema))
        report.show_rows(*arrivals.some_tracks(self._con, self._schema, self._ids))
        problems = judge(self._sent, now)
        for problem in problems:
            say(f"Wrong: {problem}")
        if not problems:
            say("Every event is in its table exactly once.")
        return problems
