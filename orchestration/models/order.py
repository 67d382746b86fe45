"""In which order dbt runs models that do not wait for one another.

dbt has no setting for it, and takes them by the alphabet. A table shows its rows as soon as its own
model has run, so the one that most events wait for is to be first.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dbt.graph.queue import GraphQueue


@contextmanager
def beginning_with(names: Sequence[str]) -> Iterator[None]:
    """Have dbt's commands within a `with` block run these models before others, where they can.

    Args:
        names: Of models, the first one first; what has to be there for one still comes before it.
    """
    rank = {name: place for place, name in enumerate(names)}
    levels = GraphQueue._get_scores  # noqa: SLF001 - what it sorts by; it has no other way in

    def scores(queue: GraphQueue, graph: Any) -> dict[str, tuple[int, int]]:
        return {
            node: (level, rank.get(node.rpartition(".")[2], len(rank)))
            for node, level in levels(queue, graph).items()
        }

    setattr(GraphQueue, "_get_scores", scores)  # noqa: B010 - of another type
    try:
        yield
    finally:
        setattr(GraphQueue, "_get_scores", levels)  # noqa: B010
