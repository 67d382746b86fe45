"""CORS: browsers may send to us from any page, and may read what we answer.

An event says nothing a page does not know, and no cookie goes with it, so every origin is
welcome and none is sent credentials.
"""

import re

from flask import Flask, Response, request

_BARE_PATHS = frozenset({"/b", "/m"})
_HEADERS = "authorization, content-type, x-retry-count"
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ASKED = (
    "Access-Control-Request-Method",
    "Access-Control-Request-Headers",
    "Access-Control-Request-Private-Network",
)
_PREFLIGHT_HOLDS_FOR = 24 * 60 * 60  # browsers shorten it to what they allow


def open_to_browsers(app: Flask) -> None:
    """Make an application's answers to SDKs readable for pages, the refusals too.

    Flask answers the preflight itself: OPTIONS, wherever there is something to ask for.
    """

    @app.after_request
    def allow(response: Response) -> Response:
        if _is_for_browsers(request.path):
            headers = response.headers
            headers["Access-Control-Allow-Origin"] = "*"
            headers["Access-Control-Expose-Headers"] = "Retry-After"
            if request.method == "OPTIONS":
                _allow_what_is_asked(response)
        return response


def _allow_what_is_asked(response: Response) -> None:
    """Answer a preflight. Sites wrap `fetch` and add headers of their own: all are let through."""
    methods, names, network = (request.headers.get(name, "") for name in _ASKED)
    headers = response.headers
    asked = [name.strip() for name in names.split(",")]
    allowed = ", ".join(name for name in asked if _TOKEN.fullmatch(name))
    headers["Access-Control-Allow-Headers"] = allowed or _HEADERS
    more = [methods] if _TOKEN.fullmatch(methods) and methods not in ("GET", "POST") else []
    headers["Access-Control-Allow-Methods"] = ", ".join(["GET", "POST", *more])
    headers["Access-Control-Max-Age"] = str(_PREFLIGHT_HOLDS_FOR)
    headers["Vary"] = ", ".join(_ASKED)
    if network == "true":  # a page on the internet, and a receiver in the same house
        headers["Access-Control-Allow-Private-Network"] = "true"


def _is_for_browsers(path: str) -> bool:
    return path.startswith(("/v1/", "/projects/")) or path.rstrip("/") in _BARE_PATHS
