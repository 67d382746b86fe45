"""Up, and able to land: two questions, two answers."""

from collections.abc import Callable

from tests.support.receiver.app import AppReceiver


def test_a_receiver_that_can_land_is_live_and_ready(app: AppReceiver) -> None:
    assert app.get("/health/live").status_code == 200
    assert app.get("/health/ready").status_code == 200


def test_a_disk_below_the_reserve_is_live_and_not_ready(
    make_app: Callable[..., AppReceiver],
) -> None:
    full = make_app(reserve_bytes=10**18)

    ready = full.get("/health/ready")
    sent = full.post("/v1/track", "{}")

    assert full.get("/health/live").status_code == 200
    assert (ready.status_code, ready.json()["code"]) == (503, "disk_full")
    assert (sent.status_code, sent.json()["code"]) == (503, "disk_full")
    assert sent.headers["Retry-After"]
    assert full.lines() == []
