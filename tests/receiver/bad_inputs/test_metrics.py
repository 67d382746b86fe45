"""Bad inputs: `/metrics`, asked for by whom it is not for."""

from collections.abc import Callable

import pytest

from tests.support.receiver.app import AppReceiver
from tests.support.receiver.attack import bad_input
from tests.support.receiver.senders import WEB

ELSEWHERE = [
    {"REMOTE_ADDR": "203.0.113.9"},
    {"HTTP_X_FORWARDED_FOR": "203.0.113.9"},
    {"HTTP_FORWARDED": "for=203.0.113.9"},
    {"HTTP_VIA": "1.1 proxy"},
    {"HTTP_X_REAL_IP": "203.0.113.9"},
    {"HTTP_X_FORWARDED_HOST": "events.example.com"},
    {"HTTP_CF_CONNECTING_IP": "203.0.113.9"},
    {"HTTP_TRUE_CLIENT_IP": "203.0.113.9"},
    {"HTTP_X_CLIENT_IP": "203.0.113.9"},
    {"HTTP_X_ENVOY_EXTERNAL_ADDRESS": "203.0.113.9"},
    {"HTTP_HOST": "events.example.com"},
]


@bad_input("B129", "`/metrics`, asked for from another machine or through a proxy", "404")
@pytest.mark.parametrize("environ", ELSEWHERE, ids=str)
def test_metrics_are_shown_to_this_machine_alone(app: AppReceiver, environ: dict[str, str]) -> None:
    client = app.app.test_client()

    assert client.get("/metrics", environ_overrides=environ).status_code == 404
    assert app.get("/metrics").status_code == 200


def test_metrics_with_a_port_of_their_own_are_there_and_nowhere_else(
    make_app: Callable[..., AppReceiver],
) -> None:
    app = make_app(metrics_port=9100, metrics_host="0.0.0.0")  # noqa: S104
    client = app.app.test_client()
    own = {"SERVER_PORT": "9100", "REMOTE_ADDR": "203.0.113.9"}

    assert client.get("/metrics", environ_overrides=own).status_code == 200
    assert client.get("/health/live", environ_overrides=own).status_code == 404
    assert (
        client.post("/v1/track", data="{}", headers=WEB, environ_overrides=own).status_code == 404
    )
    assert app.get("/metrics").status_code == 404
    assert app.post("/v1/track", "{}").status_code == 200


@bad_input("B169", "`/metrics` on a port of its own on loopback, asked by another name (DNS "
           "rebinding) or through a proxy", "404")  # fmt: skip
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_metrics_on_a_port_of_their_own_on_loopback_are_shown_to_this_machine_alone(
    make_app: Callable[..., AppReceiver], host: str
) -> None:
    client = make_app(metrics_port=9100, metrics_host=host).app.test_client()
    own = {"SERVER_PORT": "9100"}

    assert client.get("/metrics", environ_overrides=own).status_code == 200
    for environ in ELSEWHERE:
        assert client.get("/metrics", environ_overrides=own | environ).status_code == 404
