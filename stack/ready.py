"""Whether the processes of the stack answer."""

import http.client
import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from stack.errors import StackError
from stack.login import read_login
from stack.output import say
from stack.settings import Settings

_NONE: Mapping[str, str] = MappingProxyType({})

TIMEOUT = 5
REMIND = 30.0
POLL = 0.5

DAEMONS = """{
  instance { daemonHealth { allDaemonStatuses { required lastHeartbeatTime } } }
  workspaceOrError { ... on Workspace { locationEntries {
    locationOrLoadError { __typename ... on PythonError { message } }
  } } }
}"""
LAST_RUN = """{
  runsOrError(limit: 1) { ... on Runs { results { status eventConnection { events {
    ... on ExecutionStepFailureEvent { error { message } }
  } } } } }
}"""

# whatever proxies the environment names: both servers are on this machine
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def wait_until_ready(
    settings: Settings, tick: Callable[[float], None], limit: float | None = None
) -> None:
    """Wait until the receiver, Dagster's webserver and its daemon have all answered.

    Args:
        settings: Where they are.
        tick: Waits, and raises when the stack is to stop.
        limit: Give up after so many seconds.

    Raises:
        StackError: Given up, or Dagster cannot load the project.
    """
    started = time.time()
    checks: dict[str, Callable[[], bool]] = {
        "the receiver": lambda: _ask(f"{settings.receiver_url}/health/ready") is not None,
        "Dagster's webserver": lambda: ask_dagster(settings, "{ version }") is not None,
        "Dagster's daemon": lambda: daemon_answers(settings, since=started),
    }
    remind = started + REMIND
    for name, answers in checks.items():
        while not answers():
            tick(POLL)
            if limit is not None and time.time() > started + limit:
                raise StackError(f"Gave up: {name} was not ready within {limit:g} s.")
            if time.time() > remind:
                say(f"Still waiting for {name} …")
                remind += REMIND


def daemon_answers(settings: Settings, since: float) -> bool:
    """Whether every part of Dagster's daemon has given a sign since then.

    Raises:
        StackError: The project cannot be loaded, so there will never be one.
    """
    answer = ask_dagster(settings, DAEMONS)
    if answer is None:
        return False
    for entry in answer["workspaceOrError"].get("locationEntries", []):
        location = entry["locationOrLoadError"] or {}
        if location.get("__typename") == "PythonError":
            raise StackError(f"Dagster cannot load the project: {location['message'].strip()}")
    statuses = answer["instance"]["daemonHealth"]["allDaemonStatuses"]
    return all(
        (status["lastHeartbeatTime"] or 0) >= since for status in statuses if status["required"]
    )


def last_failure(settings: Settings) -> str | None:
    """Why the newest run failed, if it did and Dagster says so."""
    answer = ask_dagster(settings, LAST_RUN)
    runs = answer["runsOrError"].get("results", []) if answer else []
    for event in runs[0]["eventConnection"]["events"] if runs else []:
        if event.get("error"):
            return str(event["error"]["message"]).strip()
    return None


def ask_dagster(settings: Settings, query: str) -> dict[str, Any] | None:
    """Ask Dagster's webserver by GraphQL.

    Returns:
        The answer's `data`, or None where there is no answer (yet).
    """
    login = read_login(settings)
    headers = {"Content-Type": "application/json"}
    if login:
        headers["Authorization"] = login.header()
    body = json.dumps({"query": query}).encode()
    answer = _ask(f"{settings.dagster_url}/graphql", body, headers)
    try:
        data = json.loads(answer or b"{}").get("data")
    except json.JSONDecodeError:
        return None
    return data if isinstance(data, dict) else None


def _ask(
    address: str, body: bytes | None = None, headers: Mapping[str, str] = _NONE
) -> bytes | None:
    """What a server answers, if it does and nothing is wrong."""
    request = urllib.request.Request(address, body, dict(headers))  # noqa: S310 - ours
    try:
        with _open(request, timeout=TIMEOUT) as answer:
            return bytes(answer.read())
    except (OSError, http.client.HTTPException):
        return None
