"""Speed: several servers under the same load, measured alternately."""

import os
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import NamedTuple

from benchmarks.receiver.servers import Command, Running, running
from benchmarks.receiver.wrk import CONNECTIONS, Load, load

SINGLE, BATCH = 1, 100


class Figures(NamedTuple):
    """Medians of what one server did under one load.

    Attributes:
        rate: requests answered in a second.
        p50_ms: half of the answers came within this.
        p99_ms: 99 of 100 did.
        cpu_us: processor time of the server's processes for one request.
        failed: requests that were not answered 2xx, in all rounds.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    failed: int


Results = Mapping[str, Mapping[int, Figures]]
"""By the name of the server and the events in a request."""


def compare(
    servers: Mapping[str, Command],
    folder: Path,
    *,
    rounds: int,
    seconds: float,
    sizes: Sequence[int] = (SINGLE, BATCH),
) -> Results:
    """Measure, server by server, over and over.

    The rounds are short and all servers are there from the start: what the neighbours of a
    shared machine do, and its governor, should meet each of them alike.
    """
    measured: dict[tuple[str, int], list[tuple[Load, float]]] = {}
    with ExitStack() as started:
        there = {
            name: started.enter_context(running(command, folder / f"server-{number}"))
            for number, (name, command) in enumerate(servers.items())
        }
        for number, size in product(range(rounds + 1), sizes):
            for name, server in there.items():
                one = _measure(server, size, seconds)
                if number:  # the first is to warm up
                    print(f"{number}/{rounds}: {name}, {size} a request: {one[0].rate:,.0f}/s")
                    measured.setdefault((name, size), []).append(one)
    return {name: {size: _medians(measured[name, size]) for size in sizes} for name in servers}


def at_share(
    command: Command, folder: Path, share: float, *, rounds: int, seconds: float
) -> tuple[float, Load]:
    """Measure single events at a share of the highest rate, which is measured just before.

    Returns:
        That rate, and the load whose p99 is the median: how long others let us wait changes fast.
    """
    seen = []
    with running(command, folder / "at-share") as server:
        load(server.url, SINGLE, seconds)
        for _ in range(rounds):
            highest = load(server.url, SINGLE, seconds)
            every = 1000 * CONNECTIONS / (share * highest.rate)
            pause = every - highest.p50_ms * share
            seen.append((highest.rate, load(server.url, SINGLE, seconds, pause_ms=pause)))
    return sorted(seen, key=lambda one: one[1].p99_ms)[rounds // 2]


def _measure(server: Running, size: int, seconds: float) -> tuple[Load, float]:
    os.sync()  # or this server's syncs wait for what another has written without one
    before = server.cpu_seconds()
    seen = load(server.url, size, seconds)
    return seen, server.cpu_seconds() - before


def _medians(measured: Sequence[tuple[Load, float]]) -> Figures:
    loads = [seen for seen, _ in measured]
    return Figures(
        rate=statistics.median(seen.rate for seen in loads),
        p50_ms=statistics.median(seen.p50_ms for seen in loads),
        p99_ms=statistics.median(seen.p99_ms for seen in loads),
        cpu_us=statistics.median(cpu / max(seen.requests, 1) * 1e6 for seen, cpu in measured),
        failed=sum(seen.not_2xx + seen.broken for seen in loads),
    )
