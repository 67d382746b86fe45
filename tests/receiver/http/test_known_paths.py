"""Paths that were asked for before are answered as the first time."""

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


def test_not_every_path_is_kept(app: AppReceiver) -> None:
    for number in range(2 * application._MOST_PATHS):  # noqa: SLF001
        app.app.test_client().post(f"/v1/{number}")

    kept = app.app._paths  # type: ignore[attr-defined]  # noqa: SLF001
    assert len(kept) <= application._MOST_PATHS  # noqa: SLF001
