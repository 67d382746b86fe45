"""One POST of JSON to an address that an operator has named."""

import http.client
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import msgspec

from landed.errors import ReportedError

TIMEOUT_SECONDS = 5.0
"""Nobody waits longer for the other side."""

AGENT = "Seamline"


class NotDeliveredError(ReportedError):
    """The other side did not take it. The text names its host alone: an address may hold a key."""


class _WithoutRedirects(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for an answer: what is behind it would be asked for without the body."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


_opener = urllib.request.build_opener(_WithoutRedirects)


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
        with _opener.open(request, timeout=TIMEOUT_SECONDS):
            return
    except urllib.error.HTTPError as error:
        raise NotDeliveredError(f"{host} answered {error.code}") from None
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        raise NotDeliveredError(f"{host} cannot be reached: {reason}") from None
    except (http.client.HTTPException, ValueError) as error:  # whose text may be the address
        raise NotDeliveredError(f"{host} answered with {type(error).__name__}") from None
