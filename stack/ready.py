"""Whether the processes of the stack answer."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any

from stack.errors import StackError
from stack.settings import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from stack.settings import Settings

TIMEOUT = 5
REMIND = 30.0
POLL = 0.5

DAEMONS = """{
  instance { daemonHealth { allDaemonStatuses { required lastHeartbeatTime } } }
  workspaceOrError { ... on Workspace { locationEntries {
    locationOrLoadError { __typename ... on PythonError { message } }
  } } }
}"""
RUNS = """{
  runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING]}) {
    ... on Runs { results { runId } }
  }
}"""

LAST_RUN = """{
  runsOrError(limit: 1) { ... on Runs { results { status eventConnection { events {
    ... on ExecutionStepFailureEvent { error { message } }
  } } } } }
}"""


def wait_until_ready(
    settings: Settings,
    tick: Callable[[float], None],
    say: Callable[[str], None],
    limit: float | None = None,
) -> None:
    """Wait until the receiver, Dagster's webserver and its daemon have all answered.

    Args:
        settings: Where they are.
        tick: Waits, and raises when the stack is to stop.
        say: Called with a line now and then while one of them has not answered yet.
        limit: Give up after so many seconds.

    Raises:
        StackError: Given up, or Dagster cannot load the project.
    """
    started = time.time()
    checks: dict[str, Callable[[], bool]] = {
        "the receiver": lambda: receiver_answers(settings),
        "Dagster's webserver": lambda: webserver_answers(settings),
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


def receiver_answers(settings: Settings) -> bool:
    """Whether the receiver answers that it can land an event."""
    connection = http.client.HTTPConnection(
        settings.receiver_host, settings.receiver.port, timeout=TIMEOUT
    )
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def webserver_answers(settings: Settings) -> bool:
    """Whether Dagster's webserver answers."""
    return ask_dagster(settings, "{ version }") is not None


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


def run_on_its_way(settings: Settings) -> bool:
    """Whether a Dagster run has not ended yet, or Dagster does not say."""
    answer = ask_dagster(settings, RUNS)
    return answer is None or bool(answer["runsOrError"].get("results"))


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
    port = settings.orchestration.dagster_port
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=TIMEOUT)
    body = json.dumps({"query": query})
    try:
        connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
        answer = connection.getresponse().read()
        data = json.loads(answer).get("data")
    except (OSError, http.client.HTTPException, json.JSONDecodeError):
        return None
    finally:
        connection.close()
    return data if isinstance(data, dict) else None
