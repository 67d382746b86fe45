"""Whom bad inputs are sent to."""

import pytest

from tests.support.receiver.attack import Case
from tests.support.receiver.landing import Landing


@pytest.fixture
def receiver(case: Case, request: pytest.FixtureRequest) -> Landing:
    """The application; a started receiver, where a case is bytes on the wire."""
    found: Landing = request.getfixturevalue("server" if case.wire else "app")
    return found
