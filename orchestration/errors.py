"""Problem that is told in words, without the libraries behind it: some take seconds to import."""

from landed.errors import ReportedError


class DbtFailedError(ReportedError):
    """dbt ran and some of it failed; what did not fail is done."""


class RebuildRefusedError(ReportedError):
    """The new warehouse would lack events that the old one may have; the text says which."""


class ErasureStoppedError(ReportedError):
    """An erasure is not done, but written down; the text says what was in the way."""
