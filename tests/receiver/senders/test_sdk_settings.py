"""The settings that analytics.js and the mobile SDKs load before they send."""

from collections.abc import Callable

import pytest

from tests.support.receiver.app import AppReceiver

PATHS = ["/v1/projects/web-key/settings", "/projects/web-key/settings"]


def segment_io(answer: object) -> dict[str, str]:
    return answer.json()["integrations"]["Segment.io"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", PATHS)
def test_a_browser_on_this_machine_is_sent_here(app: AppReceiver, path: str) -> None:
    answer = app.get(path)

    assert answer.status_code == 200
    assert segment_io(answer) == {
        "apiKey": "web-key",
        "apiHost": f"127.0.0.1:{app.port}/v1",
        "protocol": "http",
    }
    assert answer.json()["metrics"] == {"sampleRate": 0, "host": f"127.0.0.1:{app.port}/v1"}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "evil.example:8000"},
        {"Host": "user@127.0.0.1:8000"},
        {"Host": "[::1"},
        {"Host": ""},
        {"X-Forwarded-For": "203.0.113.7"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
    ],
)
def test_a_host_header_is_not_repeated(app: AppReceiver, headers: dict[str, str]) -> None:
    answer = app.http.get(PATHS[0], headers=headers)

    assert answer.status_code in (400, 404)
    assert "evil" not in answer.text


def test_a_public_url_is_what_everybody_is_told(
    make_app: Callable[..., AppReceiver],
) -> None:
    told_url = make_app(public_url="https://example.com:8443/segment/")

    for headers in ({}, {"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}):
        told = segment_io(told_url.http.get(PATHS[0], headers=headers))
        assert told["apiHost"] == "example.com:8443/segment/v1"
        assert told["protocol"] == "https"


@pytest.mark.parametrize("key", ["no-key", "web-key:", "hooks", "partner-key", "%00", "web-key%20"])
def test_a_key_that_is_nobodys_has_no_settings(app: AppReceiver, key: str) -> None:
    answer = app.get(f"/v1/projects/{key}/settings")

    assert (answer.status_code, answer.json()["success"]) == (404, False)


def test_the_key_is_not_logged(app: AppReceiver) -> None:
    app.get("/v1/projects/signed-key/settings")

    assert "signed-key" not in app.log.read_text()


def test_a_servers_sdk_gets_its_settings_too(app: AppReceiver) -> None:
    assert app.get("/v1/projects/backend-key/settings").status_code == 200
