"""What something costs, as far as a test can say it without luck."""

import time
from collections.abc import Callable


def least_processor_seconds(work: Callable[[], object], turns: int = 3) -> float:
    """Return the processor time of the cheapest of some turns: what happens beside adds to one."""

    def turn() -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    return min(turn() for _ in range(turns))
