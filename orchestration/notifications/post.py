"""One POST of JSON to an address that an operator has named."""

import urllib.error
import urllib.request
from urllib.parse import urlsplit

import msgspec

from landed.errors import ReportedError

TIMEOUT_SECONDS = 5.0
"""Nobody waits longer for the other side."""

AGENT = "Seamline"


class NotDeliveredError(ReportedError):
    """The other side did not take it. The text names its host alone: an address may hold a key."""


def post(url: str, body: object) -> None:
    """Return once the other side has answered with 2xx.

    Args:
        url: http or https.
        body: What becomes JSON.

    Raises:
        NotDeliveredError: it did not.
    """
    request = urllib.request.Request(  # noqa: S310 - the setting is http or https
        url,
        data=msgspec.json.encode(body),
        headers={"Content-Type": "application/json", "User-Agent": AGENT},
        method="POST",
    )
    host = urlsplit(url).hostname
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310 - likewise
            return
    except urllib.error.HTTPError as error:
        raise NotDeliveredError(f"{host} answered {error.code}") from None
    except (OSError, ValueError) as error:  # ValueError: an answer that is no HTTP
        reason = getattr(error, "reason", None) or error
        raise NotDeliveredError(f"{host} cannot be reached: {reason}") from None
