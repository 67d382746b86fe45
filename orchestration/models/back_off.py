"""How long what has failed rests before it is tried again, and which models do."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestration.durable_files import make_folder, write_whole
from orchestration.settings import Settings

FIRST_SECONDS = 30
LONGEST_SECONDS = 30 * 60

_MOST_DOUBLINGS = 10


def pause(failures: int) -> float:
    """Seconds until the next try: 30 after the first failure, twice as long after each, to 1800."""
    return min(FIRST_SECONDS * 2.0 ** min(failures - 1, _MOST_DOUBLINGS), LONGEST_SECONDS)


@dataclass
class Failing:
    """A model that has failed since it last went well."""

    times: int
    last: float
    """When it did last, in seconds since 1970."""

    @property
    def due(self) -> float:
        """When it is tried again, likewise."""
        return self.last + pause(self.times)


def failing_models(settings: Settings) -> dict[str, Failing]:
    """The models that failed last time they were run, by name."""
    path = _path(settings)
    if not path.exists():
        return {}
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Failing])


def note(settings: Settings, went_well: Iterable[str], failed: Iterable[str]) -> None:
    """Write down which models went well and which failed; the caller has the writer's lock."""
    before = failing_models(settings)
    now = time.time()
    after = before.copy()
    for name in went_well:
        after.pop(name, None)
    for name in failed:
        after[name] = Failing(before[name].times + 1 if name in before else 1, now)
    if after != before:
        make_folder(_path(settings).parent, mode=0o777)
        write_whole(_path(settings), msgspec.json.encode(after))


def _path(settings: Settings) -> Path:
    return settings.catalog.parent / "models_behind" / "failing.json"
