"""Flask, without what costs time here and does nothing: a session, and a search for known paths."""

from collections.abc import Callable, Mapping
from functools import partial
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

    def __init__(self, adapter: MapAdapter, keep: Callable[["_Found"], None]) -> None:
        """Take the adapter of a request.

        Args:
            adapter: what searches.
            keep: called once there is a rule.
        """
        self._adapter = adapter
        self._keep = keep
        self._found: tuple[Rule, Mapping[str, Any]] | None = None

    def match(self, **how: Any) -> tuple[Rule, dict[str, Any]]:
        """Return the rule and its arguments.

        Raises:
            HTTPException: there is none for the path.
        """
        if self._found is None:
            self._found = self._adapter.match(**how)
            self._keep(self)
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
        # an upgrade to a websocket has rules of its own, and here there is none
        if "HTTP_UPGRADE" in environ:
            return super().create_url_adapter(request)
        if found := self._paths.get(key):
            return found
        adapter = super().create_url_adapter(request)
        return adapter and _Found(adapter, partial(self._keep, key))

    def _keep(self, key: tuple[str | None, ...], found: _Found) -> None:
        """Keep a path that there is; anybody may ask for others."""
        if len(self._paths) >= _MOST_PATHS:
            self._paths.clear()
        self._paths[key] = found
