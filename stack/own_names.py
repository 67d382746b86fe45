"""Who may use the Dagster UI: its own pages, under its own names, with the login if there is one.

Dagster asks nobody who they are. On loopback that leaves it open to every page that the browser of
its operator shows: a page may send there (Origin, Sec-Fetch-Site), or have its own name lead there
(Host, DNS rebinding).
"""

from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stack.login import Login

_DEFAULT_PORTS = {"http": 80, "https": 443}
_OWN_SITES = {"same-origin", "none"}  # none: typed in, or a bookmark

_NOT_A_NAME = (
    "This Dagster UI does not answer to the name it was asked by (the Host header). If the name is "
    "yours, set SEAMLINE_DAGSTER_NAMES to it and start again.\n"
)
_ANOTHER_PAGE = (
    "Refused: another page than the Dagster UI's own sent this (its headers Origin or "
    "Sec-Fetch-Site say so). Open the UI by one of its names, see SEAMLINE_DAGSTER_NAMES.\n"
)
_NOT_BY_GET = "Refused: a query in an address is not run. Send it by POST.\n"
_NO_LOGIN = "The name and the password of SEAMLINE_DAGSTER_LOGIN are wanted.\n"


class OwnNamesOnly:
    """Middleware: what is not for its own pages, under its own names, is refused in a line."""

    def __init__(self, app: ASGIApp, names: Collection[str], login: Login | None = None) -> None:
        """Guard an application.

        Args:
            app: What answers to the rest, requests and websockets.
            names: Those it may be asked by, in small letters and without a port; any port is fine.
            login: What has to be given, if anything.
        """
        self._app = app
        self._names = frozenset(names)
        self._login = login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope, Headers(scope=scope))

        async def unframed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Frame-Options"] = "DENY"
            await send(message)

        await (refusal or self._app)(scope, receive, unframed)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        hosts = [_parsed(f"//{host}") for host in headers.getlist("host")]
        if len(hosts) != 1 or hosts[0] is None or hosts[0].hostname not in self._names:
            return PlainTextResponse(_NOT_A_NAME, 421)
        if not (_is_of(hosts[0], headers) and _is_sent_by_itself(scope, headers)):
            return PlainTextResponse(_ANOTHER_PAGE, 403)
        if self._login and not self._login.is_given_by(headers.get("authorization", "")):
            return PlainTextResponse(_NO_LOGIN, 401, {"WWW-Authenticate": 'Basic realm="Seamline"'})
        if _would_run_its_address(scope, headers):
            return PlainTextResponse(_NOT_BY_GET, 405, {"Allow": "POST"})
        return None


def _parsed(address: str) -> SplitResult | None:
    """The parts of an address that is a host and a port, with a scheme or without; else None."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - raises if it is none
    except ValueError:
        return None
    is_host = "@" not in parts.netloc and not (parts.path or parts.query or parts.fragment)
    return parts if is_host and parts.hostname else None


def _is_of(host: SplitResult, headers: Headers) -> bool:
    """Whether whatever Origin was sent is that of the address that was asked."""
    for text in headers.getlist("origin"):
        origin = _parsed(text)
        if origin is None or origin.hostname != host.hostname:
            return False
        usual = _DEFAULT_PORTS.get(origin.scheme)
        if (origin.port or usual) != (host.port or usual):
            return False
    return True


def _is_sent_by_itself(scope: Scope, headers: Headers) -> bool:
    """Whether the browser says that a page of ours sent it, or its user; or it says nothing."""
    if set(headers.getlist("sec-fetch-site")) <= _OWN_SITES:
        return True
    # a link may lead here from anywhere: what it opens, the page it stands on cannot read
    return (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def _would_run_its_address(scope: Scope, headers: Headers) -> bool:
    """Whether Dagster would run the query that stands in the address, a mutation too.

    Browsers of before 2023 do not say which page sent a GET.
    """
    return (
        scope["type"] == "http"
        and scope["method"] != "POST"
        and scope["path"].rstrip("/") == "/graphql"
        and "text/html" not in headers.get("accept", "")
    )
