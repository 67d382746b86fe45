"""Bad inputs: much from little: what unpacks, or would land, as far more than was sent."""

import gzip
import hashlib
from collections.abc import Callable
from itertools import count
from types import SimpleNamespace

import pytest

from landed.settings import MB
from receiver.http import tracking
from receiver.senders.auth import credential_of_broken
from receiver.senders.scopes import Endpoint
from receiver.senders.sources import Sources
from receiver.server import native_threads
from tests.support.processor_time import least_processor_seconds
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.attack import KEY, Case, bad_input, each, must_come_of, pages, refused
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import SOURCES, WEB, basic

PACKED = {"Content-Encoding": "gzip"}
ARRAYS = (b'{"batch":[' + b"[]," * MB)[:MB]
UNANNOUNCED = next(  # gzip that can stand among a batch's events: nothing in it ends one
    packed
    for packed in (gzip.compress(b"%d." % n * MB, mtime=0)[:-8] for n in range(100))
    if not set(b'"[]{},\\') & set(packed)
)
SHARED = b'"context":{"x":"%b"}' % (b"x" * 6000)


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
    app = make_app(refused_time_share=0.1)
    monkeypatch.setattr(native_threads, "time", SimpleNamespace(thread_time=count(0, 1).__next__))
    damaged = '{"batch":[{"type":"page"},]'

    assert app.post("/v1/batch", damaged, headers=KEY).status_code == 200
    assert app.post("/v1/batch", damaged, headers=KEY).status_code == 429
    assert app.post("/webhooks/hooks", "{}", headers=KEY).status_code == 429
    assert app.post("/v1/batch", damaged).status_code == 200


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
