"""Flask, without what costs time here and does nothing: a session, and a search for known paths."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter, Rule

_MOST_PATHS = 256  # that are kept: anybody may ask for any


class _NoSession(SessionInterface):
    """One session for all, in which nothing can be kept."""

    _none = NullSession()

    def open_session(self, *_: Any) -> NullSession:
        """Return it."""
        return self._none


class _Found:
    """A path's rule, which is searched for once; it answers as the adapter that finds it."""

    def __init__(self, adapter: MapAdapter) -> None:
        """Take the adapter of a request."""
        self._adapter = adapter
        self._found: tuple[Rule, Mapping[str, Any]] | None = None

    def match(self, **how: Any) -> tuple[Rule, dict[str, Any]]:
        """Return the rule and its arguments.

        Raises:
            HTTPException: there is none for the path.
        """
        if self._found is None:
            self._found = self._adapter.match(**how)
        rule, arguments = self._found
        return rule, dict(arguments)


class Application(Flask):
    """Keeps what it has found for a path, of the requests that bring events."""

    session_interface = _NoSession()

    def __init__(self, *arguments: Any, **more: Any) -> None:
        """Start with no path."""
        super().__init__(*arguments, **more)
        self._paths: dict[tuple[str | None, ...], _Found] = {}

    def create_url_adapter(self, request: Request | None) -> Any:
        """Return what finds a request's rule; what that depends on is the key it is kept by."""
        if request is None or request.method != "POST":
            return super().create_url_adapter(request)
        environ = request.environ
        key = (environ.get("HTTP_HOST"), environ["PATH_INFO"], environ["SERVER_PORT"])
        found = self._paths.get(key)
        if found is None:
            adapter = super().create_url_adapter(request)
            if adapter is None:
                return None
            if len(self._paths) >= _MOST_PATHS:
                self._paths.clear()
            found = self._paths[key] = _Found(adapter)
        return found
