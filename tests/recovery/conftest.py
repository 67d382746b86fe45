"""The house in which a person is everywhere has a past, archives and files that wait."""

from tests.erasure.conftest import house, template

__all__ = ["house", "template"]
