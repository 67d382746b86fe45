"""Answers: the JSON that every sender understands, for success and for each refusal."""

from http import HTTPStatus

import structlog
from flask import Flask, Response
from msgspec import json
from werkzeug.exceptions import HTTPException

from receiver.errors import RequestRefusedError, ThrottledError

RETRY_AFTER_SECONDS = "2"

log = structlog.get_logger()


def success(**more: str) -> Response:
    """Return the one answer every SDK takes for *done*: some want 200 exactly, some this body."""
    text = json.encode({"success": True} | more) if more else b'{"success": true}'
    return Response(text, mimetype="application/json")


def failure(status: int, code: str, message: str) -> Response:
    """Return an answer that says what was wrong; 503 with when to come back."""
    text = json.encode({"success": False, "code": code, "message": message})
    response = Response(text, status, mimetype="application/json")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def register_error_answers(app: Flask) -> None:
    """Make an application answer every error as JSON, and none with a traceback."""
    app.register_error_handler(RequestRefusedError, _refused)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unforeseen)


def _refused(error: RequestRefusedError) -> Response:
    response = failure(error.status, error.code, error.message)
    if isinstance(error, ThrottledError):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _http_error(error: HTTPException) -> Response:
    """Answer Werkzeug's own errors, with the headers that belong to them, such as Allow."""
    name = (error.name or "error").lower().replace(" ", "_")
    response = failure(error.code or 500, name, f"{error.name}.")
    for key, value in error.get_headers():
        if key != "Content-Type":
            response.headers[key] = value
    return response


def _unforeseen(error: Exception) -> Response:
    """Answer our own bugs: 503, so that the events come again. The log has where, and no data."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else "?"
    log.error("unforeseen_error", error=type(error).__name__, place=place)
    return failure(503, "internal", "The receiver failed; send again later.")
