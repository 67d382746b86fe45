"""What all tests of faults share."""

from collections.abc import Iterator

import pytest

from tests.support.faults import driver


@pytest.fixture(autouse=True)
def _no_sender_outlives_its_test() -> Iterator[None]:
    """Stop senders that a test has left sending, as one does that fails."""
    yield
    driver.end_all()
