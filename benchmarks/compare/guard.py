"""Is a figure worse than it was? Ratios of a run against those of the last report."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

Ratios = Mapping[str, float]

HIGHER_IS_BETTER = frozenset(
    {"faster than Singer", "faster than dlt", "processor beside Singer", "processor beside dlt"}
)


class Aim(NamedTuple):
    """What a ratio is to reach."""

    ratio: str
    limit: float

    def is_reached(self, ratios: Ratios) -> bool:
        """Whether it does."""
        value = ratios[self.ratio]
        return value >= self.limit if self.ratio in HIGHER_IS_BETTER else value <= self.limit


def worse(now: Ratios, before: Ratios, tolerance: float) -> Iterator[str]:
    """Say of each ratio that is worse than it was by more than a share of it.

    Args:
        now: Those of this run.
        before: Those of the last report; what one of both has not is passed over.
        tolerance: 0.25 is: a quarter.
    """
    for name in now.keys() & before.keys():
        if name in HIGHER_IS_BETTER:
            is_worse = now[name] * (1 + tolerance) < before[name]
        else:
            is_worse = now[name] > before[name] * (1 + tolerance)
        if is_worse:
            yield f"{name}: {now[name]:.2f}, and {before[name]:.2f} in the last report"
