"""Bad inputs: what who has no key may take from who has one, and from others without."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from landed.settings import MB
from receiver.errors import RequestRefusedError, ThrottledError, unauthorized
from receiver.http import known_addresses
from receiver.http.known_addresses import KnownAddresses
from receiver.http.refused_time import UnauthenticatedTime
from receiver.senders.scopes import Kind
from receiver.senders.sources import Credential, Source, write_sources
from receiver.server import native_threads
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.attack import KEY, Case, bad_input, each, must_come_of, refused
from tests.support.receiver.held_bodies import post_from
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import WEB, basic

LARGE = b'{"type":"track","writeKey":"web-key","x":"%b"}' % (b"x" * 999_900)
SMALL = b'{"type":"track","writeKey":"web-key"}'
PAGE = b'{"type":"page"}'
PAGES = SMALL.replace(b"web-key", b"page-key")
NOBODYS = SMALL.replace(b"web-key", b"nobodys")
WRONGLY_SIGNED = {"X-Signature": "0" * 40}
SIGNED_KEY = basic("signed-key")


def signed(text: bytes) -> dict[str, str]:
    return {"X-Signature": hmac.new(b"new secret", text, hashlib.sha1).hexdigest()}


CASES = [
    refused("B167", "a body of more than 1 MiB with a wrong signature and no key", 401,
            path="/webhooks/signed", headers=WRONGLY_SIGNED, body=lambda: b"x" * (MB + 1)),
    refused("B167", "a body of more than 1 MiB with the right signature and no key", 401,
            path="/webhooks/signed", headers=signed, body=lambda: b'{"x":"%b"}' % (b"x" * MB)),
]  # fmt: skip


@each(CASES)
def test_what_is_only_signed_is_no_larger_than_an_event(case: Case, receiver: Landing) -> None:
    must_come_of(case, receiver)


def test_what_is_signed_and_has_the_key_may_be_as_large_as_any_other(app: AppReceiver) -> None:
    batch = b"[%b]" % b",".join([b'{"type":"page","x":"%b"}' % (b"x" * 600_000)] * 2)

    answer = app.post("/webhooks/signed", batch, headers=signed(batch) | SIGNED_KEY)

    assert len(batch) > MB
    assert answer.status_code == 200


def test_pixels_with_wrong_keys_are_counted_to_their_address(
    make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(refused_time_share=0.1)
    monkeypatch.setattr(native_threads, "time", SimpleNamespace(thread_time=count(0, 1).__next__))
    for query in ("writeKey=web-key", f"data={base64.b64encode(SMALL).decode()}"):
        app.get(f"/v1/pixel/page?{query}")
    assert len(app.lines("page", "track")) == 2  # they cost their address nothing

    app.get(f"/v1/pixel/page?data={base64.b64encode(NOBODYS).decode()}")  # a second, by that clock
    assert app.get("/v1/pixel/page?writeKey=web-key").headers["Content-Type"] == "image/gif"

    assert [line["refused"] for line in app.logged()] == [None, None, "unauthorized", "busy"]
    assert app.post("/v1/track", SMALL, headers={}).status_code == 429
    assert app.post("/v1/track", "{}").status_code == 200


def wrongly_signed(
    app: AppReceiver, address: str, meanwhile: Callable[[], object] | None = None
) -> int:
    return post_from(app, address, "/webhooks/signed", LARGE, WRONGLY_SIGNED, meanwhile)


@bad_input("B165", "bodies without a key that are held back at their last byte", "503 for more of "
           "them beyond an eighth of the memory for bodies, a sixteenth from one address; others "
           "unharmed")  # fmt: skip
def test_unauthenticated_requests_fill_their_own_share_of_the_memory_for_bodies_and_no_other(
    make_app: Callable[..., AppReceiver],
) -> None:
    # of which unauthenticated requests have 2 MiB, and each address 1 MiB
    app = make_app(bodies_bytes="16MiB")
    statuses: dict[str, int] = {}
    assert post_from(app, "192.0.2.9", "/v1/track", SMALL) == 200

    def others() -> None:
        statuses["one more of the same"] = wrongly_signed(app, "192.0.2.2")
        statuses["a third address"] = wrongly_signed(app, "192.0.2.3")
        statuses["a third address's key"] = post_from(app, "192.0.2.3", "/v1/track", LARGE)
        statuses["a known address"] = post_from(app, "192.0.2.9", "/v1/track", LARGE)
        statuses["a key in the header"] = post_from(app, "192.0.2.3", "/v1/track", LARGE, WEB)
        statuses["a signature and the key"] = post_from(
            app, "192.0.2.3", "/webhooks/signed", LARGE, signed(LARGE) | SIGNED_KEY
        )

    def second() -> None:
        statuses["one more of the first"] = wrongly_signed(app, "192.0.2.1")
        statuses["the second"] = wrongly_signed(app, "192.0.2.2", others)

    statuses["the first"] = wrongly_signed(app, "192.0.2.1", second)

    assert statuses == {
        "one more of the same": 503,
        "a third address": 503,
        "a third address's key": 503,
        "a known address": 200,
        "a key in the header": 200,
        "a signature and the key": 200,
        "one more of the first": 503,
        "the second": 401,
        "the first": 401,
    }
    assert post_from(app, "192.0.2.3", "/v1/track", LARGE) == 200


@bad_input("B166", "one source's bodies that are held back at their last byte", "503 for more of "
           "its own beyond half of the memory for bodies, others unharmed")  # fmt: skip
def test_a_source_fills_half_of_the_memory_for_bodies(
    make_app: Callable[..., AppReceiver],
) -> None:
    app = make_app(bodies_bytes="8MiB", body_bytes="3MiB")
    statuses: dict[str, int] = {}

    def others() -> None:
        body = b"x" * 2_000_000
        statuses["one more of its own"] = post_from(app, "192.0.2.1", "/v1/batch", body, WEB)
        statuses["another source's"] = post_from(app, "192.0.2.1", "/v1/batch", body, KEY)

    first = post_from(app, "192.0.2.1", "/v1/batch", b"x" * 3_000_000, WEB, others)

    assert statuses == {"one more of its own": 503, "another source's": 200}
    assert first == 200


def test_a_public_key_fills_half_of_what_its_source_has(
    tmp_path: Path, make_app: Callable[..., AppReceiver]
) -> None:
    both = Source("both", browser_keys=("its-page-key",), server_keys=("its-server-key",))
    write_sources(tmp_path / "sources.toml", [both])
    app = make_app(bodies_bytes="2MiB", body_bytes="1MiB")
    page, server = basic("its-page-key"), basic("its-server-key")
    body = b"x" * 450_000
    statuses: dict[str, int] = {}

    def others() -> None:
        statuses["one more of its own"] = post_from(app, "192.0.2.1", "/v1/batch", body, page)
        statuses["the server's"] = post_from(app, "192.0.2.1", "/v1/batch", body, server)

    first = post_from(app, "192.0.2.1", "/v1/batch", body, page, others)

    assert statuses == {"one more of its own": 503, "the server's": 200}
    assert first == 200


def test_one_body_alone_may_be_larger_than_its_senders_share(
    make_app: Callable[..., AppReceiver],
) -> None:
    app = make_app(bodies_bytes="1MiB", body_bytes="3MiB")

    assert post_from(app, "192.0.2.1", "/v1/batch", b"x" * 3_000_000, WEB) == 200
    assert post_from(app, "192.0.2.1", "/v1/track", LARGE) == 200


def spend(app: AppReceiver, *addresses: str) -> list[int]:
    """Send from each address what is nobody's."""
    return [post_from(app, address, "/v1/track", NOBODYS) for address in addresses]


@pytest.fixture
def hurried(make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch) -> AppReceiver:
    """A receiver for which each look at an unauthenticated body takes a second of its one."""
    app = make_app(refused_time_share=0.1)
    monkeypatch.setattr(native_threads, "time", SimpleNamespace(thread_time=count(0, 1).__next__))
    return app


@bad_input("B168", "requests without a key from very many addresses", "429: an IPv6 client is "
           "counted by its /64, all by a counter that they cannot push out; addresses that were "
           "let in lately unharmed")  # fmt: skip
@pytest.mark.parametrize(
    ("first", "same", "other"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:2::1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2"),
    ],
)
def test_an_ipv6_client_is_its_first_64_bits(
    hurried: AppReceiver, first: str, same: str, other: str
) -> None:
    assert spend(hurried, first, same, other) == [401, 429, 401]


def test_whoever_was_let_in_lately_does_not_wait_for_unauthenticated_requests_and_has_own_limits(
    hurried: AppReceiver,
) -> None:
    assert post_from(hurried, "192.0.2.8", "/v1/track", SMALL) == 200
    assert post_from(hurried, "192.0.2.9", "/v1/track", PAGES) == 200
    assert post_from(hurried, "192.0.2.7", "/webhooks/signed", PAGE, signed(PAGE)) == 200

    assert spend(hurried, *(f"192.0.2.{n}" for n in range(4))) == [401, 401, 401, 429]
    assert post_from(hurried, "192.0.2.3", "/v1/track", SMALL) == 429
    assert post_from(hurried, "192.0.2.3", "/webhooks/signed", PAGE, signed(PAGE)) == 429
    assert post_from(hurried, "192.0.2.7", "/v1/track", SMALL) == 200
    assert post_from(hurried, "192.0.2.9", "/webhooks/signed", PAGE, signed(PAGE)) == 200
    assert spend(hurried, "192.0.2.8", "192.0.2.8") == [401, 429]
    assert post_from(hurried, "192.0.2.9", "/v1/track", PAGES) == 200


def let_in_three_kinds(app: AppReceiver) -> None:
    """Make addresses known: three by a source's public key, one by another's, one by a secret."""
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        assert post_from(app, address, "/v1/track", SMALL) == 200
    assert post_from(app, "192.0.2.8", "/v1/track", PAGES) == 200
    assert post_from(app, "192.0.2.9", "/webhooks/signed", LARGE, signed(LARGE)) == 200


def from_each_kind(app: AppReceiver) -> dict[str, int]:
    return {
        "that source's visitors": post_from(app, "192.0.2.3", "/v1/track", LARGE),
        "another's visitors": post_from(app, "192.0.2.8", "/v1/track", PAGES + b" " * 400_000),
        "a signed webhook": post_from(app, "192.0.2.9", "/webhooks/signed", LARGE, signed(LARGE)),
    }


UNHARMED = {"that source's visitors": 200, "another's visitors": 200, "a signed webhook": 200}


@bad_input("B175", "requests without a key in the header from addresses that a page's key made "
           "known", "429 for that source's visitors; those of other sources and who brought a "
           "secret unharmed, and still known")  # fmt: skip
def test_the_visitors_of_one_source_take_the_time_of_no_others(hurried: AppReceiver) -> None:
    let_in_three_kinds(hurried)

    spend(hurried, "192.0.2.1", "192.0.2.2", "192.0.2.3")

    assert from_each_kind(hurried) == UNHARMED | {"that source's visitors": 429}


@bad_input("B176", "bodies that are held back at their last byte, from addresses that a page's key "
           "made known", "503 for more of that source's visitors beyond their part of an eighth of "
           "the memory; those of other sources and signed webhooks unharmed")  # fmt: skip
def test_the_visitors_of_one_source_fill_the_memory_of_no_others(
    make_app: Callable[..., AppReceiver],
) -> None:
    app = make_app(bodies_bytes="16MiB")
    let_in_three_kinds(app)
    statuses: dict[str, int] = {}

    def others() -> None:
        statuses.update(from_each_kind(app))

    def second() -> None:
        if post_from(app, "192.0.2.2", "/v1/track", LARGE, meanwhile=others) == 503:
            others()

    assert post_from(app, "192.0.2.1", "/v1/track", LARGE, meanwhile=second) == 200
    assert statuses == UNHARMED | {"that source's visitors": 503}
    assert from_each_kind(app) == UNHARMED


def test_who_visits_two_sources_does_not_wait_for_the_one_that_is_held_up(
    hurried: AppReceiver,
) -> None:
    let_in_three_kinds(hurried)
    assert post_from(hurried, "192.0.2.3", "/v1/track", PAGES) == 200
    spend(hurried, "192.0.2.1", "192.0.2.2")

    assert post_from(hurried, "192.0.2.3", "/v1/track", PAGES) == 200


def test_who_has_the_key_of_a_signed_webhook_does_not_wait_for_unauthenticated_requests(
    hurried: AppReceiver,
) -> None:
    headers = signed(PAGE) | SIGNED_KEY
    spend(hurried, *(f"192.0.2.{n}" for n in range(3)))

    assert post_from(hurried, "192.0.2.0", "/webhooks/signed", PAGE, headers) == 200
    for status in (401, 429):  # a wrong signature costs its source
        wrong = WRONGLY_SIGNED | SIGNED_KEY
        assert post_from(hurried, "192.0.2.0", "/webhooks/signed", b"{}", wrong) == status
    assert post_from(hurried, "192.0.2.0", "/v1/track", SMALL, WEB) == 200


def refuse(of: UnauthenticatedTime, address: str) -> None:
    with pytest.raises(RequestRefusedError), of.at_work(address):
        raise unauthorized()


def let_in(to: UnauthenticatedTime, address: str, source: str = "web") -> None:
    to.let_in(address, Credential(Source(source), Kind.BROWSER))


@pytest.mark.parametrize("known", [False, True])
def test_of_many_addresses_all_together_have_a_quarter_and_so_have_those_who_are_known(
    monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    monkeypatch.setattr(native_threads, "time", SimpleNamespace(thread_time=count(0, 0.5).__next__))
    budget = UnauthenticatedTime(0.1)
    addresses = [f"192.0.2.{number}" for number in range(6)]
    for address in addresses if known else []:
        let_in(budget, address)
    for address in addresses[:5]:
        budget.must_have_left(address)
        refuse(budget, address)

    with pytest.raises(ThrottledError):
        budget.must_have_left(addresses[5])


def test_the_sources_with_public_keys_divide_what_their_visitors_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(native_threads, "time", SimpleNamespace(thread_time=count(0, 0.5).__next__))
    budget = UnauthenticatedTime(0.1, lambda: 4)
    for address, source in (("one", "web"), ("two", "web"), ("three", "web"), ("four", "page")):
        let_in(budget, address, source)
    for address in ("one", "two"):
        budget.must_have_left(address)
        refuse(budget, address)

    with pytest.raises(ThrottledError):
        budget.must_have_left("three")
    budget.must_have_left("four")


def test_very_many_addresses_with_one_sources_key_push_out_their_own_alone() -> None:
    budget = UnauthenticatedTime(0.1, lambda: 2)
    budget.let_in("signed", Credential(Source("hooks"), Kind.SECRET))
    let_in(budget, "another's", "page")
    let_in(budget, "its own")
    before = [budget.groups(address) for address in ("signed", "another's")]
    for number in range(known_addresses.MOST):
        let_in(budget, str(number))

    assert [budget.groups(address) for address in ("signed", "another's")] == before
    assert budget.groups("its own") == budget.groups("nobody")
    assert len({group.name for (group,) in (*before, budget.groups("nobody"))}) == 3


def test_what_all_addresses_have_spent_is_not_forgotten_for_thousands_of_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = iter([0, 3])
    clock = SimpleNamespace(thread_time=lambda: next(seconds, 3))
    monkeypatch.setattr(native_threads, "time", clock)
    budget = UnauthenticatedTime(0.1)
    for number in range(8000):  # the table of addresses has room for half of them
        refuse(budget, f"198.51.{number >> 8}.{number & 255}")

    with pytest.raises(ThrottledError):
        budget.must_have_left("192.0.2.1")


def test_an_address_is_known_for_ten_minutes_and_the_last_thousands_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(known_addresses, "time", SimpleNamespace(monotonic=lambda: now))
    known = KnownAddresses(most=2)
    for address in ("one", "two", "one", "three"):
        known.note(address)
    assert [one in known for one in ("one", "two", "three", None)] == [True, False, True, False]

    now = 599.0
    known.note("three")
    now = 601.0
    assert [one in known for one in ("one", "three")] == [False, True]
