"""Paths that were asked for before are answered as the first time."""

from collections.abc import Callable

import pytest

from receiver.http import application
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.senders import basic


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/v1/track", "events.example.com", 200),
        ("/v1/track/", "events.example.com", 200),
        ("/v1//t", "events.example.com", 200),
        ("/v1/nothing", "events.example.com", 404),
        ("/health/live", "events.example.com", 405),
    ],
)
def test_it_is_answered_alike_again(app: AppReceiver, path: str, host: str, status: int) -> None:
    client = app.app.test_client()
    body = '{"type":"track"}'
    answers = [
        client.post(path, data=body, headers=basic("web-key") | {"Host": host}) for _ in range(3)
    ]

    assert [one.status_code for one in answers] == [status] * 3


def test_a_request_for_a_websocket_changes_nothing_for_others(
    make_app: Callable[..., AppReceiver],
) -> None:
    receiver = make_app()
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}

    first = receiver.http.post("/v1/track", content=b"{}", headers=upgrade)
    good = receiver.post("/v1/track", "{}")
    again = receiver.http.post("/v1/track", content=b"{}", headers=upgrade)

    assert (first.status_code, again.status_code) == (400, 400)
    assert (good.status_code, receiver.post("/v1/track", "{}").status_code) == (200, 200)


def test_paths_that_are_none_are_not_kept(make_app: Callable[..., AppReceiver]) -> None:
    receiver = make_app()
    receiver.post("/v1/track", "{}")
    for number in range(2 * application._MOST_PATHS):  # noqa: SLF001
        receiver.post(f"/v1/{number}", "{}")

    assert len(receiver.app._paths) == 1  # type: ignore[attr-defined]  # noqa: SLF001
