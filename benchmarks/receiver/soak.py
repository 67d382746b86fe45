"""Soak: the memory of a receiver that works for minutes."""

import threading
from pathlib import Path
from typing import NamedTuple

from benchmarks.receiver.servers import receiver, running
from benchmarks.receiver.speed import BATCH, SINGLE
from benchmarks.receiver.wrk import load

_PERIOD_SECONDS = 10
_SEAL_BYTES = 16 * 1024 * 1024


class Sample(NamedTuple):
    """The memory of all its processes, so many seconds after the start of the load."""

    seconds: float
    resident_bytes: int


def soak(folder: Path, seconds: float) -> list[Sample]:
    """Send single events and batches alternately; look at the memory after each."""
    samples = []
    done = threading.Event()
    with running(receiver, folder / "server", seal_bytes=_SEAL_BYTES) as server:
        # What is landed is taken away, as the loader does it: the disk need not hold it all.
        remover = threading.Thread(target=_remove, args=(folder / "server/landing", done))
        remover.start()
        try:
            for period in range(round(seconds / _PERIOD_SECONDS)):
                load(server.url, BATCH if period % 2 else SINGLE, _PERIOD_SECONDS)
                taken = Sample((period + 1) * _PERIOD_SECONDS, server.resident_bytes())
                print(f"soak: {taken.seconds:.0f} s, {taken.resident_bytes / 1e6:.1f} MB")
                samples.append(taken)
        finally:
            done.set()
            remover.join()
    return samples


def _remove(landing: Path, done: threading.Event) -> None:
    while not done.wait(1):
        for sealed in landing.glob("*/*.ndjson"):
            sealed.unlink()
