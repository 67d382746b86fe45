"""The key of the live page: one line in a private file."""

import hashlib
import hmac
import os
import stat
from pathlib import Path

from werkzeug.datastructures import Authorization

from receiver.errors import StartError

SHORTEST_KEY = 16


class LiveKey:
    """What a browser is asked for, as the password; the name beside it may be any."""

    def __init__(self, key: str) -> None:
        """Keep the key's digest."""
        self._digest = _digest(key)

    def is_given_by(self, authorization: Authorization | None) -> bool:
        """Say whether a header has it, in a time that says nothing of how far it is."""
        given = authorization.password if authorization else None
        return hmac.compare_digest(_digest(given or ""), self._digest)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def read_live_key(file: Path | None) -> LiveKey | None:
    """Read the key, if there is to be a live page.

    Args:
        file: `Settings.live_key`.

    Raises:
        StartError: it is of no use.
    """
    if file is None:
        return None
    refused = f"SEAMLINE_LIVE_KEY: {file}"
    try:
        with file.open(encoding="utf-8") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            lines = opened.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise StartError(f"{refused} cannot be read ({reason}).") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StartError(f"{refused} can be read by other users: chmod 600 {file}")
    if len(lines) != 1 or len(lines[0].strip()) < SHORTEST_KEY:
        raise StartError(f"{refused} has to be one line of {SHORTEST_KEY} characters or more.")
    return LiveKey(lines[0].strip())
