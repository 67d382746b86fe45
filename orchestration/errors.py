"""Trouble that is told in words, without the libraries behind it: some take seconds to import."""


class DbtFailedError(Exception):
    """dbt ran and some of it failed; what did not fail is done."""
