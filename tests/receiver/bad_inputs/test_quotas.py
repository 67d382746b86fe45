"""Bad inputs: more than is a sender's own, and what it may cost the others."""

import gzip
import hashlib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from landed.settings import MB
from receiver.http import tracking
from receiver.http.slow_bodies import SlowBodies
from receiver.senders import counters, quotas
from receiver.senders.auth import credential_of_broken
from receiver.senders.scopes import Endpoint
from receiver.senders.sources import Source, Sources, write_sources
from receiver.server import native_threads
from receiver.server.connection import Connection
from tests.support.processor_time import least_processor_seconds
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.attack import KEY, Case, bad_input, each, must_come_of, refused
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import SOURCES, WEB, basic, new_id
from tests.support.receiver.server import RunningReceiver

PACKED = {"Content-Encoding": "gzip"}
ARRAYS = (b'{"batch":[' + b"[]," * MB)[:MB]
UNANNOUNCED = next(  # gzip that can stand among a batch's events: nothing in it ends one
    packed
    for packed in (gzip.compress(b"%d." % n * MB, mtime=0)[:-8] for n in range(100))
    if not set(b'"[]{},\\') & set(packed)
)
SHARED = b'"context":{"x":"%b"}' % (b"x" * 6000)


def pages(number: int, beside: str = "") -> bytes:
    """Return a batch of events with nothing in them."""
    events = b",".join([b'{"type":"page"}'] * number)
    return b'{"batch":[%b],"x":"%b"}' % (events, beside.encode())


ALIKE = {
    "that share a field of 32 kB": b'{"batch":[%b],"context":{"a":"%b"}}'
    % (b",".join([b'{"type":"track"}'] * 120), b"a" * 32_000),
    "of their type alone": pages(5000, hashlib.shake_128().hexdigest(150)),
    "that are none": b'{"batch":[%b]}' % b",".join([b"[]"] * 5000),
}

CASES = [
    refused("B120", "1 kB of gzip without a key that unpacks to 1 MiB", 413, path="/v1/track",
            headers=PACKED, body=gzip.compress(ARRAYS)),
    refused("B121", "1 MiB of `[],[],…` without a key", 401, path="/v1/track", headers={},
            body=ARRAYS),
    refused("B123", "67 kB of gzip that unpack to 64 MB", 413, path="/v1/batch",
            headers=WEB | PACKED, body=gzip.compress(
                b'{"batch":[%b]}' % b",".join([b'{"x":"%b"}' % (b"x" * 32_000)] * 2000))),
    refused("B124", "10,000 events that share a field of 6 kB", 413, path="/v1/batch", headers=WEB,
            body=b'{"batch":[%b],%b}' % (b",".join([b'{"type":"page"}'] * 10_000), SHARED)),
    *[refused("B163", f"hundreds of bytes of gzip with many events {what}, with {whose} key", 413,
              path="/v1/batch", headers=basic(key) | PACKED, body=gzip.compress(body, 9))
      for whose, key in (("a page's", "page-key"), ("a server's", "backend-key"))
      for what, body in ALIKE.items()],
    refused("B170", "gzip among a batch's events that unpacks to a thousand times its size", 413,
            path="/v1/batch", headers=WEB, body=b'{"batch":[{"type":"page"},%b]}' % UNANNOUNCED),
    refused("B170", "gzip among a webhook's events that does", 413, headers=KEY,
            body=b'[{"type":"page"},%b]' % UNANNOUNCED),
]  # fmt: skip


@each(CASES)
def test_what_would_grow_is_refused(case: Case, receiver: Landing) -> None:
    must_come_of(case, receiver)


def test_a_small_body_may_unpack_to_64_kib_and_a_large_one_to_200_times_its_size(
    app: AppReceiver,
) -> None:
    of_all = b'"userId":"u","context":{"userAgent":"%b"}' % (b"Mozilla/5.0 (X11; Linux) " * 20)
    alike = b'{"batch":[%b]}' % b",".join(
        b'{"type":"page","messageId":"m-%06d",%b}' % (n, of_all) for n in range(1000)
    )
    packed = gzip.compress(alike)
    small = b'{"type":"track","x":"%b"}' % (b"x" * 64_000)

    assert len(alike) > 50 * len(packed)  # ordinary batches of 100 browser events: 12 to 20
    assert app.post("/v1/batch", packed, headers=WEB | PACKED).status_code == 200
    assert app.post("/v1/track", gzip.compress(small), headers=WEB | PACKED).status_code == 200


def test_a_body_is_not_cut_before_a_known_key_was_seen_in_it(
    app: AppReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[bytes] = []
    read_fields = tracking.read_fields

    def look(body: bytes) -> object:
        looked_at.append(body)
        return read_fields(body)

    monkeypatch.setattr(tracking, "read_fields", look)
    unknown, known = (b'{"writeKey":"%b","a":[[],}' % key for key in (b"nobodys", b"web-key"))

    assert app.post("/v1/track", unknown, headers={}).status_code == 401
    assert app.post("/v1/track", known, headers={}).status_code == 200
    assert looked_at == [known]


@bad_input("B122", "1 MiB of `%` without a key", "401, in no more time than one MiB of others")
@pytest.mark.parametrize(
    "sign", [b"%", b"%41", b"writeKey=a&", b"writeKey%22%3A%22a%", b"writeKey"]
)
def test_a_key_is_looked_for_in_a_time_that_does_not_depend_on_what_is_sent(sign: bytes) -> None:
    sources = Sources(SOURCES)

    def seconds(text: bytes) -> float:
        assert credential_of_broken(sources, Endpoint.TRACKING, text) is None
        return least_processor_seconds(
            lambda: credential_of_broken(sources, Endpoint.TRACKING, text)
        )

    bare = seconds((b"abc," * MB)[:MB])
    assert seconds((sign * MB)[:MB]) < 40 * bare  # 400 times, where all of it is unquoted


def test_who_sends_damaged_bodies_again_and_again_has_a_tenth_of_the_time_for_them(
    make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(vain_time_share=0.1)
    monkeypatch.setattr(native_threads, "time", SimpleNamespace(thread_time=count(0, 1).__next__))
    damaged = '{"batch":[{"type":"page"},]'

    assert app.post("/v1/batch", damaged, headers=KEY).status_code == 200
    assert app.post("/v1/batch", damaged, headers=KEY).status_code == 429
    assert app.post("/webhooks/hooks", "{}", headers=KEY).status_code == 429
    assert app.post("/v1/batch", damaged).status_code == 200


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
    monkeypatch.setattr("receiver.free_bytes", lambda _landing: 2000)
    app = make_app(reserve_bytes=0)
    assert app.post("/v1/batch", MANY, headers=KEY).status_code == 200  # about 2,500 bytes

    must_be_over(app, KEY, longest=300)
    assert app.post("/v1/track", "{}").status_code == 200


def test_the_only_source_may_fill_the_disk_to_the_reserve(
    tmp_path: Path, make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.free_bytes", lambda _landing: 2000)
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
        return make_app(reserve_bytes=0, vain_time_share=0.1)

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
    monkeypatch.setattr("receiver.free_bytes", lambda _landing: 2000)
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
        environ = {"gunicorn.socket": Connection(here)}
        for headers in (PAGE, BACKEND):
            client.post("/v1/track", data="{}", headers=headers, environ_overrides=environ)

    assert len(set(waited_for)) == 2


@pytest.mark.parametrize(
    ("path", "headers", "events"),
    [("/v1/batch", basic("page-key"), 250), ("/v1/batch", basic("backend-key"), 4000),
     ("/webhooks/partner", basic("partner-key"), 4000)],
    ids=["a page", "a server", "a webhook"],
)  # fmt: skip
def test_a_batch_of_ordinary_size_may_be_ever_so_alike(
    app: AppReceiver, path: str, headers: dict[str, str], events: int
) -> None:
    body = pages(events)
    packed = gzip.compress(body + b" " * (64_000 - len(body)))

    assert app.post(path, packed, headers=headers | PACKED).status_code == 200


def test_strangers_have_a_tenth_of_the_time_each_and_who_has_a_key_has_all_of_it(
    make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(vain_time_share=0.1)
    monkeypatch.setattr(native_threads, "time", SimpleNamespace(thread_time=count(0, 1).__next__))
    with_key = '{"type":"track","writeKey":"web-key"}'
    assert app.post("/v1/track", with_key, headers={}).status_code == 200  # it costs them nothing

    assert app.post("/v1/track", "{}", headers={}).status_code == 401  # a second, by that clock
    refusal = app.post("/v1/track", with_key, headers={})

    assert (refusal.status_code, refusal.json()["code"]) == (429, "busy")
    assert refusal.headers["Retry-After"] == "10"
    assert app.post("/webhooks/signed", "{}", headers={"X-Signature": "0" * 40}).status_code == 429
    assert app.post("/v1/track", "{}").status_code == 200


FEW = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (168, 168))"  # 40 connections


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    """A receiver of one worker that bears 40 connections."""
    running = RunningReceiver(tmp_path_factory.mktemp("narrow"), FEW, workers=1)
    yield running
    running.kill()


HEADS = {
    "without a key": b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    "with one": b"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: "
    + WEB["Authorization"].encode()
    + b"\r\nContent-Length: 1000\r\n\r\n{",
}


@bad_input("B127", "bodies that come slowly, more than a worker bears", "429 for the longest of "
           "whoever has most of them, others unharmed")  # fmt: skip
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_slow_bodies_make_room_for_others(narrow: RunningReceiver, head: bytes) -> None:
    with ExitStack() as held:
        connections = []
        for _ in range(160):
            one = socket.create_connection(("127.0.0.1", narrow.port), timeout=30)
            connections.append(held.enter_context(one))
            one.sendall(head)
        for _ in range(5):
            assert narrow.post("/v1/track", "{}", headers=KEY).status_code == 200
        assert b" 429 " in connections[0].recv(4096).partition(b"\r\n")[0]


@bad_input("B128", "a client that goes on sending when its connection has to make room", "closed")
def test_who_goes_on_sending_does_not_keep_a_connection_that_was_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = socket.create_connection(server.getsockname())
        here, _ = server.accept()
    with here, there:
        connection = Connection(here)
        connection.end()
        connection._ends -= 1  # noqa: SLF001 - the time for what had arrived is over
        there.sendall(b"X")

        assert connection.recv(100) == b""
        assert connection.has_ended


def test_a_body_that_comes_slower_than_its_rate_is_ended_with_its_error() -> None:
    here, there = socket.socketpair()
    with here, there:
        connection = Connection(here)
        with connection.at_least(1000, TimeoutError("slow")):
            pace = connection._pace  # noqa: SLF001
            assert pace
            assert 10 <= pace.seconds_left() <= 20
            there.sendall(bytes(100_000))
            received = len(connection.recv(65536))
            assert pace.seconds_left() >= 9 + received / 1000
            pace._started -= 1000  # noqa: SLF001
            there.close()
            assert pace.seconds_left() == 0


ELSEWHERE = [
    {"REMOTE_ADDR": "203.0.113.9"},
    {"HTTP_X_FORWARDED_FOR": "203.0.113.9"},
    {"HTTP_FORWARDED": "for=203.0.113.9"},
    {"HTTP_VIA": "1.1 proxy"},
    {"HTTP_X_REAL_IP": "203.0.113.9"},
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
