"""The errors that end in an answer or in a refusal to start."""

from typing import ClassVar

from landed.errors import ReportedError


class StartError(ReportedError):
    """The receiver cannot start; the text says why and which setting changes it."""


class RequestRefusedError(Exception):
    """A request gets an answer other than 200.

    Args:
        status: HTTP status. 4xx makes Segment drop the events for good, 503 makes it retry.
        code: one word for machines.
        message: one sentence for people, without anything the sender sent.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        """Keep what the answer is made of."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class NotLandedError(RequestRefusedError):
    """The events are not durable, through our own problem: the sender must retry."""

    _MESSAGES: ClassVar = {
        "busy": "More events are waiting for the disk than may wait; send again later.",
        "closing": "The receiver is ending, or this connection; send again later.",
        "disk_full": "The disk is full; send again later.",
        "suppressed_not_read": "Who is suppressed cannot be read; send again later.",
        "store_fails": "The object store does not take events now; send again later.",
        "slow_disk": "The disk takes too long; send again later.",
    }

    def __init__(self, code: str) -> None:
        """Answer 503, which every sender takes as *later*."""
        message = self._MESSAGES.get(code, "The events could not be written; send again later.")
        super().__init__(503, code, message)


class ThrottledError(RequestRefusedError):
    """Somebody has sent more than is theirs: it has to come again later, and then may."""

    def __init__(
        self,
        retry_after: int,
        code: str = "over_quota",
        message: str = "This source has used up its quota; send again later.",
    ) -> None:
        """Answer 429, which Segment and its SDKs take as *later*.

        Args:
            retry_after: how many seconds later.
            code: one word for machines.
            message: one sentence for people.
        """
        super().__init__(429, code, message)
        self.retry_after = retry_after


def unauthorized() -> RequestRefusedError:
    """Return the one answer for every wrong credential, so that it tells nothing."""
    return RequestRefusedError(401, "unauthorized", "The credentials are missing or wrong.")
