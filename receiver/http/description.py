"""The description of this interface in OpenAPI, for those who want to talk to it."""

from pathlib import Path

from flask import Blueprint, Response

_DOCUMENT = (Path(__file__).parent / "openapi.yaml").read_bytes()

bp = Blueprint("description", __name__)


@bp.get("/openapi.yaml")
def openapi() -> Response:
    """Answer with the document."""
    return Response(_DOCUMENT, mimetype="application/yaml")
