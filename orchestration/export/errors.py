"""What can keep an export from being done."""

from landed.errors import ReportedError


class ExportBusyError(ReportedError):
    """Another export is still at it."""

    def __init__(self, kind: str) -> None:
        """Say of which kind: `parquet`, `raw` or `postgres`."""
        super().__init__(
            f"Another {kind} export is still at it. Nothing was done; the next one has all that "
            "is new."
        )


class ExportFailedError(ReportedError):
    """What is exported to did not take it; the text says which setting names it."""
