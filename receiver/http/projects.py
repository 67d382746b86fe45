"""Projects: the settings an SDK fetches from Segment's CDN before it sends.

They tell analytics.js, and the mobile SDKs, to send here and nowhere else.
"""

from urllib.parse import urlsplit

from flask import Blueprint, Request, Response, request
from msgspec import json

from receiver.errors import RequestRefusedError
from receiver.http.client_address import is_on_this_machine
from receiver.senders.scopes import Endpoint
from receiver.settings import Settings
from receiver.state import current_receiver

bp = Blueprint("projects", __name__)


@bp.get("/v1/projects/<write_key>/settings")
@bp.get("/projects/<write_key>/settings")
def settings(write_key: str) -> Response:
    """Answer the settings of a source, found by its write key."""
    receiver = current_receiver()
    if receiver.sources.with_key(write_key.encode(), Endpoint.SETTINGS) is None:
        raise RequestRefusedError(404, "not_found", "There is no such project.")
    base = urlsplit(_public_address(receiver.settings, request))
    host = f"{base.netloc}{base.path.rstrip('/')}/v1"
    document = {
        "integrations": {
            "Segment.io": {"apiKey": write_key, "apiHost": host, "protocol": base.scheme}
        },
        # analytics.js measures itself unless told not to, and sends that to Segment.
        "metrics": {"sampleRate": 0, "host": host},
    }
    response = Response(json.encode(document), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _public_address(settings: Settings, request: Request) -> str:
    """Return the address that browsers reach us by.

    Raises:
        RequestRefusedError: 404, nobody has said, and this browser is on another machine.
    """
    if settings.public_url:
        return str(settings.public_url)
    if is_on_this_machine(request):
        return request.host_url
    raise RequestRefusedError(
        404, "no_public_url", "SEAMLINE_PUBLIC_URL has to say how this receiver is reached."
    )
