"""What can be wrong with a warehouse before anything is done with it."""

from landed.errors import ReportedError


class WarehouseMissingError(ReportedError):
    """There is no warehouse to read yet."""


class WarehouseUnusableError(ReportedError):
    """The catalog cannot be opened."""


class LockLostError(ReportedError):
    """What held the writer's lock is gone, so that another may be the writer by now."""


class CatalogFullError(Exception):
    """A catalog could not be put in the place of another, and that one is as it was."""


class NotTheWriterError(Exception):
    """A connection for writing was asked for by somebody who is not the one writer."""
