"""CORS: browsers may send to us from any page, and may read what we answer.

An event says nothing a page does not know, and no cookie goes with it, so every origin is
welcome and none is sent credentials.
"""

from flask import Flask, Response, request

_BARE_PATHS = frozenset({"/b", "/m"})
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
                headers["Access-Control-Allow-Methods"] = "GET, POST"
                headers["Access-Control-Allow-Headers"] = (
                    "authorization, content-type, x-retry-count"
                )
                headers["Access-Control-Max-Age"] = str(_PREFLIGHT_HOLDS_FOR)
        return response


def _is_for_browsers(path: str) -> bool:
    return path.startswith(("/v1/", "/projects/")) or path.rstrip("/") in _BARE_PATHS
