"""Events that are landed by hand."""

from collections.abc import Iterator

import pytest

from orchestration.settings import Settings
from tests.support.faults.killed_loads import Sent


@pytest.fixture
def sent(settings: Settings) -> Iterator[Sent]:
    """Events to be landed in the test's house."""
    return Sent(settings)
