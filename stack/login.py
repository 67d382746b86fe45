"""The login of the Dagster UI, if one is set: a name and a password in a private file."""

import base64
import binascii
import hmac
import os
import stat
from ipaddress import ip_address
from typing import NamedTuple

from stack.errors import StackError
from stack.settings import Settings

SHORTEST_PASSWORD = 16


class Login(NamedTuple):
    """What a browser is asked for."""

    name: str
    password: str

    def header(self) -> str:
        """The Authorization header that has it."""
        return f"Basic {base64.b64encode(self._text()).decode()}"

    def _text(self) -> bytes:
        return f"{self.name}:{self.password}".encode()

    def is_given_by(self, authorization: str) -> bool:
        """Whether an Authorization header has it, in a time that says nothing of how far it is."""
        scheme, _, sent = authorization.partition(" ")
        try:
            given = base64.b64decode(sent, validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, self._text()) and scheme.lower() == "basic"


def read_login(settings: Settings) -> Login | None:
    """Read the login, if one is set.

    Raises:
        StackError: It is of no use, or there is none and other machines reach the UI.
    """
    file = settings.dagster_login
    if file is None:
        if not ip_address(settings.dagster_host).is_loopback:
            raise StackError(
                f"SEAMLINE_DAGSTER_HOST is {settings.dagster_host}, where other machines reach the "
                "Dagster UI: set SEAMLINE_DAGSTER_LOGIN to a file with a line name:password, or "
                "leave it on 127.0.0.1."
            )
        return None
    refused = f"SEAMLINE_DAGSTER_LOGIN: {file}"
    try:
        with file.open(encoding="utf-8") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            text = opened.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise StackError(f"{refused} cannot be read ({reason}).") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StackError(f"{refused} can be read by other users: chmod 600 {file}")
    lines = text.splitlines()
    name, _, password = lines[0].partition(":") if lines else ("", "", "")
    if len(lines) != 1 or not name or not password:
        raise StackError(f"{refused} has to be one line, name:password.")
    if len(password) < SHORTEST_PASSWORD:
        raise StackError(
            f"{refused}: the password has to have {SHORTEST_PASSWORD} characters or more."
        )
    return Login(name, password)
