"""The live page and what it asks for: shown to whoever has its key, and to nobody without one.

What is in an event may be anybody's: it is JSON here, and text there, and no page of another
origin may frame, run or read any of it.
"""

import threading
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request
from msgspec import json
from werkzeug.exceptions import NotFound

from receiver.errors import RequestRefusedError, unauthorized
from receiver.http.answers import failure
from receiver.http.client_address import counted_address
from receiver.live.key import LiveKey
from receiver.live.recent import STAMP, not_stored_counts, recent_events
from receiver.server.native_threads import run_native
from receiver.state import current_receiver

_FILES = Path(__file__).parent / "files"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def live_page(key: LiveKey | None) -> Blueprint:
    """Return the page's routes.

    Args:
        key: what is asked for; without one there is no page.
    """
    bp = Blueprint("live", __name__, url_prefix="/live")
    one_reads = threading.Lock()  # whatever the number of viewers

    @bp.before_request
    def must_have_key() -> None:
        if key is None:
            raise NotFound
        receiver = current_receiver()
        address = counted_address(request, receiver.settings.trusted_proxies)
        if key.is_given_by(request.authorization):
            return
        receiver.unauthenticated.must_have_left(address)
        with receiver.unauthenticated.at_work(address):
            raise unauthorized()

    @bp.errorhandler(RequestRefusedError)
    def refused(error: RequestRefusedError) -> Response:
        response = failure(error.status, error.code, error.message)
        if error.status == HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Basic realm="Seamline live", charset="UTF-8"'
        return response

    @bp.after_request
    def keep_to_itself(response: Response) -> Response:
        response.headers.update(_HEADERS)
        return response

    for path, file, kind in (
        ("", "live.html", "text/html"),
        ("/live.css", "live.css", "text/css"),
        ("/live.js", "live.js", "text/javascript"),
    ):
        text = (_FILES / file).read_bytes()
        bp.add_url_rule(path, file.replace(".", "_"), partial(Response, text, mimetype=kind))

    @bp.get("/events")
    def events() -> Response:
        """Answer what has arrived since the last time."""
        since = _moment(request.args.get("since"))
        landing = current_receiver().settings.landing

        def read() -> dict[str, Any]:
            return recent_events(landing, since) | {"not_stored": not_stored_counts(landing)}

        with one_reads:
            found = run_native(read)
        found["sources"] = current_receiver().sources.names()
        return Response(json.encode(found), mimetype="application/json")

    return bp


def _moment(text: str | None) -> datetime | None:
    """Read a time of the page's.

    Raises:
        RequestRefusedError: 400, it is none.
    """
    if text is None:
        return None
    try:
        return datetime.strptime(text, STAMP).replace(tzinfo=UTC)
    except ValueError:
        message = "`since` has to be a time, as `now` is."
        raise RequestRefusedError(400, "bad_since", message) from None
