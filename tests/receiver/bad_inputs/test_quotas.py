"""Bad inputs: more than is a sender's own, and what it may cost the others."""

import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from receiver.http.slow_bodies import SlowBodies
from receiver.senders import counters, quotas
from receiver.senders.sources import Source, write_sources
from receiver.server import native_threads
from receiver.server.connection import Connection
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.attack import KEY, bad_input, pages
from tests.support.receiver.senders import SOURCES, basic, new_id

LIMITED = Source("limited", write_keys=("limited-key",), events_per_second=1)
LIMITED_DAY = Source("daily", write_keys=("daily-key",), bytes_per_day=1000)
OVER, DAILY = basic("limited-key"), basic("daily-key")
MANY = pages(11)


@pytest.fixture
def limited(tmp_path: Path, make_app: Callable[..., AppReceiver]) -> AppReceiver:
    """A receiver with a source that may send an event a second, and one 1,000 bytes a day."""
    write_sources(tmp_path / "sources.toml", [*SOURCES, LIMITED, LIMITED_DAY])
    return make_app()


def later(seconds: float) -> SimpleNamespace:
    """Return a clock that is ahead."""
    return SimpleNamespace(monotonic=lambda: time.monotonic() + seconds)


def must_be_over(app: AppReceiver, headers: dict[str, str], longest: int = 10) -> None:
    """Send with a key; fail unless it is to come again, and nothing of it landed."""
    marker = new_id()
    body = f'{{"type":"track","messageId":"{marker}"}}'
    answer = app.post("/v1/track", body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (429, "over_quota")
    assert 1 <= int(answer.headers["Retry-After"]) <= longest
    assert app.landed(marker) == []


@bad_input("B125", "more events than a source may send", "429 with `Retry-After`, others unharmed")
def test_a_source_over_its_events_a_second_comes_again_and_others_do_not_notice(
    limited: AppReceiver,
) -> None:
    # ten seconds' events may come at once, and a batch is never too large
    assert limited.post("/v1/batch", MANY, headers=OVER).status_code == 200

    must_be_over(limited, OVER)
    for path, headers in (("/webhooks/limited", OVER), ("/v1/batch", OVER)):
        assert limited.post(path, MANY, headers=headers).status_code == 429
    keyless = '{"type":"track","writeKey":"limited-key"}'
    assert limited.post("/v1/track", keyless, headers={}).status_code == 429
    assert limited.post("/v1/track", "{}").status_code == 200


def test_a_source_over_its_quota_may_send_again_when_the_time_is_over(
    limited: AppReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert limited.post("/v1/batch", MANY, headers=OVER).status_code == 200
    must_be_over(limited, OVER)

    monkeypatch.setattr(counters, "time", later(10.1))

    assert limited.post("/v1/track", "{}", headers=OVER).status_code == 200


def test_a_source_over_its_bytes_a_day_comes_again_within_five_minutes(
    limited: AppReceiver,
) -> None:
    assert limited.post("/v1/batch", MANY, headers=DAILY).status_code == 200

    must_be_over(limited, DAILY, longest=300)
    assert limited.post("/v1/batch", MANY, headers=OVER).status_code == 200


def test_what_did_not_land_is_given_back(limited: AppReceiver) -> None:
    committer = limited.committer
    committer._running = False  # noqa: SLF001 - as a disk that takes nothing
    committer.refuse_early = lambda: None  # type: ignore[method-assign]
    for _ in range(3):
        assert limited.post("/v1/batch", MANY, headers=DAILY).status_code == 503
    committer._running = True  # noqa: SLF001

    assert limited.post("/v1/batch", MANY, headers=DAILY).status_code == 200
    must_be_over(limited, DAILY, longest=300)


@bad_input("B126", "a source that fills the disk", "429 at half of what is free, others unharmed")
def test_a_source_that_fills_its_share_of_the_disk_leaves_the_rest_to_others(
    make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.factory.free_bytes", lambda _landing: 2000)
    app = make_app(reserve_bytes=0)
    assert app.post("/v1/batch", MANY, headers=KEY).status_code == 200  # about 2,500 bytes

    must_be_over(app, KEY, longest=300)
    assert app.post("/v1/track", "{}").status_code == 200


def test_the_only_source_may_fill_the_disk_to_the_reserve(
    tmp_path: Path, make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.factory.free_bytes", lambda _landing: 2000)
    write_sources(tmp_path / "sources.toml", SOURCES[:1])
    app = make_app(reserve_bytes=0)

    for _ in range(3):
        assert app.post("/v1/batch", MANY).status_code == 200


def test_a_source_over_its_quota_is_counted_each_time_and_logged_once_a_minute(
    limited: AppReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited.post("/v1/batch", MANY, headers=OVER)
    for _ in range(3):
        must_be_over(limited, OVER)

    (line,) = limited.logged("throttled")
    assert (line["source"], line["quota"], line["requests"]) == ("limited", "events", 1)
    page = limited.get("/metrics").text
    assert 'seamline_throttled_total{quota="events",source="limited"} 3.0' in page
    assert 'seamline_throttled_total{quota="events",source="web"} 0.0' in page

    monkeypatch.setattr(quotas, "time", later(61))
    must_be_over(limited, OVER)
    assert limited.logged("throttled")[-1]["requests"] == 3


PAGE, BACKEND, HOOK = basic("both-page"), basic("both-backend"), basic("both-hook")
BOTH = Source(
    "both",
    browser_keys=("both-page",),
    server_keys=("both-backend",),
    webhook_keys=("both-hook",),
    events_per_second=2,
    bytes_per_day=6000,
)
IN_THE_BODY = '{"writeKey":"both-page","batch":[{"type":"page"},]'


@pytest.fixture
def make_both(tmp_path: Path, make_app: Callable[..., AppReceiver]) -> Callable[..., AppReceiver]:
    """Make a receiver with a source that has a page's key, a server's and a webhook's."""

    def make(*others: Source, **more: object) -> AppReceiver:
        write_sources(tmp_path / "sources.toml", [msgspec.structs.replace(BOTH, **more), *others])
        return make_app(reserve_bytes=0, refused_time_share=0.1)

    return make


@bad_input("B160", "damaged bodies with a page's key, again and again", "429 for that kind of key, "
           "the source's other keys unharmed")  # fmt: skip
@pytest.mark.parametrize("headers", [PAGE, {}], ids=["in the header", "in the body"])
def test_what_damaged_bodies_with_a_public_key_cost_is_not_charged_to_the_sources_other_keys(
    make_both: Callable[..., AppReceiver],
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
) -> None:
    app = make_both()
    monkeypatch.setattr(native_threads, "time", SimpleNamespace(thread_time=count(0, 1).__next__))

    assert app.post("/v1/batch", IN_THE_BODY, headers=headers).status_code == 200
    assert app.post("/v1/batch", IN_THE_BODY, headers=headers).status_code == 429
    assert app.post("/v1/track", "{}", headers=BACKEND).status_code == 200
    assert app.post("/webhooks/both", "{}", headers=HOOK).status_code == 200


FULL = "429 for that kind of key, the other half for the source's other keys"


@bad_input("B161", "more than half of a source's events or bytes with a page's key", FULL)
@pytest.mark.parametrize(
    "quota", [{"bytes_per_day": None}, {"events_per_second": None}], ids=["events", "bytes"]
)
def test_a_public_key_uses_up_half_of_a_quota_and_no_more_though_a_batch_counts_in_full(
    make_both: Callable[..., AppReceiver], quota: dict[str, None]
) -> None:
    app = make_both(SOURCES[0], **quota)
    assert app.post("/v1/batch", pages(30), headers=PAGE).status_code == 200  # more than all of it

    must_be_over(app, PAGE, longest=300)
    assert app.post("/v1/batch", pages(4), headers=BACKEND).status_code == 200
    assert app.post("/webhooks/both", pages(4), headers=HOOK).status_code == 200
    assert app.post("/v1/batch", MANY, headers=BACKEND).status_code == 200
    must_be_over(app, BACKEND, longest=300)
    assert app.post("/v1/track", "{}").status_code == 200


def test_what_servers_have_sent_is_no_more_there_for_pages(
    make_both: Callable[..., AppReceiver],
) -> None:
    app = make_both()
    assert app.post("/v1/batch", pages(30), headers=BACKEND).status_code == 200

    must_be_over(app, PAGE, longest=300)


def test_a_source_whose_keys_are_all_public_has_all_of_its_quotas(
    make_both: Callable[..., AppReceiver],
) -> None:
    app = make_both(server_keys=(), webhook_keys=(), bytes_per_day=None)
    assert app.post("/v1/batch", MANY, headers=PAGE).status_code == 200  # of 20

    assert app.post("/v1/batch", MANY, headers=PAGE).status_code == 200
    must_be_over(app, PAGE)


@bad_input("B162", "more than half of a source's share of the disk with a page's key", FULL)
@pytest.mark.parametrize("others", [SOURCES[:1], ()], ids=["beside others", "the only source"])
def test_a_public_key_fills_half_of_its_sources_share_of_the_disk_and_no_more(
    make_both: Callable[..., AppReceiver],
    monkeypatch: pytest.MonkeyPatch,
    others: tuple[Source, ...],
) -> None:
    monkeypatch.setattr("receiver.factory.free_bytes", lambda _landing: 2000)
    app = make_both(*others, events_per_second=None, bytes_per_day=None)
    assert app.post("/v1/batch", pages(30), headers=PAGE).status_code == 200  # about 7,000 bytes

    must_be_over(app, PAGE, longest=300)
    assert app.post("/v1/batch", MANY, headers=BACKEND).status_code == 200
    must_be_over(app, PAGE, longest=300)


def test_slow_bodies_with_a_public_key_are_not_counted_to_the_sources_other_keys(
    make_both: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited_for: list[str] = []

    def waiting(_self: SlowBodies, sender: str, _end: object) -> AbstractContextManager[None]:
        waited_for.append(sender)
        return nullcontext()

    monkeypatch.setattr(SlowBodies, "waiting", waiting)
    client = make_both().app.test_client()
    here, there = socket.socketpair()
    with here, there:
        connection = Connection(here)
        stream = SimpleNamespace(read=connection.recv)
        environ = {"gunicorn.socket": connection, "wsgi.input": stream}
        for headers in (PAGE, BACKEND):
            there.sendall(b"{}")
            client.post("/v1/track", data="{}", headers=headers, environ_overrides=environ)

    assert len(set(waited_for)) == 2


def test_addresses_without_a_key_have_a_tenth_of_the_time_each_and_who_has_a_key_has_all_of_it(
    make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(refused_time_share=0.1)
    monkeypatch.setattr(native_threads, "time", SimpleNamespace(thread_time=count(0, 1).__next__))
    with_key = '{"type":"track","writeKey":"web-key"}'
    assert app.post("/v1/track", with_key, headers={}).status_code == 200  # it costs them nothing

    assert app.post("/v1/track", "{}", headers={}).status_code == 401  # a second, by that clock
    refusal = app.post("/v1/track", with_key, headers={})

    assert (refusal.status_code, refusal.json()["code"]) == (429, "busy")
    assert refusal.headers["Retry-After"] == "10"
    assert app.post("/webhooks/signed", "{}", headers={"X-Signature": "0" * 40}).status_code == 429
    assert app.post("/v1/track", "{}").status_code == 200
