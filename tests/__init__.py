"""The tests; they read as a specification."""

import pytest

pytest.register_assert_rewrite("tests.support")
