"""Bad inputs: who sends this, and can he prove it?"""

import gzip
import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import pytest

from receiver.senders import auth
from receiver.senders.scopes import Endpoint
from receiver.senders.sources import Source, Sources, write_sources
from tests.support.processor_time import least_processor_seconds
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.attack import (
    Case,
    Headers,
    Line,
    Watch,
    bad_input,
    each,
    event,
    lands,
    must_come_of,
    refused,
)
from tests.support.receiver.fixtures import Refusal
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import SOURCES, basic

SIGNED = "/webhooks/signed"
SIGNED_KEY = basic("signed-key")

# What JavaScript writes and Python would not.
ODD = (
    b'{ "type":"track",\t"messageId" : "%ID%","n":[1e21,10.0,1e-7,0.10],"s":"\\u00e9\\/\xc3\xa9" }'
)


def sign(text: bytes, by: str = "new secret", digest: str = "sha1") -> str:
    return hmac.new(by.encode(), text, digest).hexdigest()


def signed(
    change: Callable[[str], str] = str, *, key: bool = False, **arguments: str
) -> Callable[[bytes], Headers]:
    """Return headers with a signature over the body, changed in some way."""

    def headers(body: bytes) -> Headers:
        more = SIGNED_KEY if key else {}
        return {"X-Signature": change(sign(body, **arguments))} | more

    return headers


def first_signed(key: Headers) -> Callable[[bytes], Headers]:
    """Return headers with a signature over the first element of an array of two."""

    def headers(body: bytes) -> Headers:
        first = body[1 : body.index(b"}") + 1]
        return {"X-Signature": sign(first)} | dict(key)

    return headers


def twice(body: bytes) -> Headers:
    return [("X-Signature", sign(body)), ("X-Signature", sign(body))]


def of_other_bytes(body: bytes) -> Headers:
    """Return headers with the signature of the same event without its white space."""
    return {"X-Signature": sign(body.replace(b" ", b""))}


def on_wire(signature: bytes) -> bytes:
    return (
        b"POST /webhooks/signed HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
        b"X-Signature: " + signature + b"\r\n\r\n{}"
    )


def unsigned(number: str, what: str, headers: object, **more: object) -> Case:
    return refused(number, what, 401, headers=headers, **({"path": SIGNED} | more))


TWO = b"[" + event() + b"," + event(b'"forged":1') + b"]"
ODD_TWO = b" [ " + ODD + b" ,\n " + event() + b" ] "
PAIR = (Line("track", event()), Line("track", event(b'"forged":1')))

CASES = [
    unsigned("B01", "a webhook without signature and key, where a secret is set", {}),
    unsigned("B01", "a webhook without a key, where none is set", {}, path="/webhooks/hooks"),
    unsigned("B01", "a call of the tracking API without a key", {}, path="/v1/track"),
    unsigned("B01", "a batch without a key", {}, path="/v1/batch"),
    unsigned("B01", "a key, where a signature is asked for", SIGNED_KEY),
    unsigned("B01", "another source's key", basic("web-key"), path="/webhooks/hooks"),
    unsigned("B01", "a source that does not exist", SIGNED_KEY, path="/webhooks/nobody"),
    unsigned("B02", "a wrong signature", signed(lambda right: right[::-1])),
    lands("B03", "the right signature in upper case", event(), path=SIGNED,
          headers=signed(str.upper)),
    unsigned("B04", "a signature of 39 characters", signed(lambda right: right[:-1])),
    unsigned("B04", "a signature of 41 characters", signed(lambda right: right + "0")),
    unsigned("B04", "an empty signature", {"X-Signature": ""}),
    unsigned("B05", "a signature that is no hex", {"X-Signature": "g" * 40}),
    unsigned("B05", "a signature beyond ASCII", {"X-Signature": "é" * 40}),
    unsigned("B05", "a signature of other scripts' digits", {"X-Signature": "²" * 40}),
    unsigned("B05", "a signature of 8,000 characters", {"X-Signature": "f" * 8000}),
    refused("B05", "a signature with a NUL", 400, wire=on_wire(b"0" * 20 + b"\0" + b"0" * 19)),
    unsigned("B05", "a signature with spaces", signed(" ".join)),
    unsigned("B06", "two right signatures", twice),
    unsigned("B07", "HMAC-SHA256 instead of SHA1", signed(digest="sha256")),
    unsigned("B07", "half of HMAC-SHA256", signed(lambda it: it[:40], digest="sha256")),
    unsigned("B08", "a signed event with one more space in it", of_other_bytes,
             body=event(b'"a": 1')),
    unsigned("B08", "a signed event with one more space behind it", of_other_bytes,
             body=event() + b" "),
    unsigned("B08", "a signed event with one more space before it", of_other_bytes,
             body=b" " + event()),
    lands("B09", "the signature of the old secret, while both are valid", event(), path=SIGNED,
          headers=signed(by="old secret")),
    unsigned("B10", "the signature of a removed secret", signed(by="removed secret")),
    unsigned("B12", "an array whose first event is signed, without the key", first_signed({}),
             body=TWO),
    Case("B12", "an array whose first event is signed, with the key", 200, PAIR, TWO,
         first_signed(SIGNED_KEY), SIGNED),
    unsigned("B12", "an array whose first event is signed, with another source's key",
             first_signed(basic("web-key")), body=TWO),
    unsigned("B12", "an array with the key and no signature", SIGNED_KEY, body=TWO),
    unsigned("B12", "an array whose second event is signed, with the key",
             lambda body: {"X-Signature": sign(body[1 + body.index(b"},") + 1 : -1])} | SIGNED_KEY,
             body=TWO),
    unsigned("B13", "a signed first event, and a forged one appended without the key",
             first_signed({}), body=TWO),
    Case("B14", "an array that is signed as a whole, without the key", 200, PAIR, TWO,
         signed(), SIGNED),
    Case("B14", "an array that is signed as a whole, with the key", 200, PAIR, TWO,
         signed(key=True), SIGNED),
    Case("B15", "a signed first event with `1e21`, `10.0`, escapes and odd white space", 200,
         (Line("track", ODD), Line("track", event())), ODD_TWO,
         lambda body: {"X-Signature": sign(body.strip()[1:].split(b"}")[0].lstrip() + b"}")}
         | SIGNED_KEY, SIGNED),
    refused("B17", "the right key with a password", 401, headers=basic("hooks-key", "x")),
    lands("B17", "the scheme as `bAsIc`", event(),
          headers={"Authorization": basic("hooks-key")["Authorization"].replace("Basic", "bAsIc")}),
    refused("B17", "credentials that are no base64", 401, headers={"Authorization": "Basic ???"}),
    refused("B17", "credentials beyond ASCII", 401, headers={"Authorization": "Basic é"}),
    refused("B17", "a scheme and nothing else", 401, headers={"Authorization": "Basic"}),
    refused("B17", "a key with a NUL behind it", 401, headers=basic("hooks-key\0")),
    refused("B18", "the key in the query string", 401, headers={},
            path="/webhooks/hooks?writeKey=hooks-key"),
    refused("B18", "the key in the query string of the tracking API", 401, headers={},
            path="/v1/track?writeKey=web-key"),
    refused("B80", "a deletion without a credential", 401, headers={},
            body=b'{"type":"delete","userId":"u1","messageId":"%ID%"}'),
    lands("B81", "a deletion, of a source that may order it",
          b'{"type":"delete","userId":"u1","messageId":"%ID%"}', "delete",
          path="/webhooks/partner", headers=basic("partner-key")),
]  # fmt: skip


@each(CASES)
def test_only_who_proves_himself_lands(case: Case, receiver: Landing) -> None:
    must_come_of(case, receiver)


@bad_input("B01", "any wrong credential", "the same 401, with the same body")
def test_every_401_reads_the_same(app: AppReceiver) -> None:
    wrong = [case for case in CASES if case.status == 401 and isinstance(case.headers, dict)]
    bodies = {
        app.post(case.path, "{}", headers=[(k, v.encode("latin-1")) for k, v in headers.items()])
        .content
        for case in wrong
        if isinstance(headers := case.headers, dict)
    }  # fmt: skip

    assert len(wrong) > 10
    assert len(bodies) == 1


GZIP = {"Content-Encoding": "gzip"}
UNPROVEN = {
    "none": ("", {}, "empty_body"),
    "blanks": (" \n", {}, "empty_body"),
    "announced too large": ("", {"Content-Length": str(10**12)}, "too_large"),
    "cut short": ("{", {"Content-Length": "2"}, "cut_short"),
    "packed too well": (gzip.compress(bytes(10**6)), GZIP, "too_packed"),
    "packed otherwise": ("{}", {"Content-Encoding": "br"}, "unknown_encoding"),
}


@bad_input("B164", "a wrong signature over no body, one too large, cut or packed otherwise",
           "the same 401, whether there is such a source or not")  # fmt: skip
@pytest.mark.parametrize(("body", "headers", "why"), UNPROVEN.values(), ids=UNPROVEN)
def test_who_cannot_sign_does_not_learn_which_sources_there_are(
    app: AppReceiver, body: bytes | str, headers: dict[str, str], why: str
) -> None:
    signature = {"X-Signature": "0" * 40}
    nobodys, somebodys = (
        app.post(path, body, headers=headers | signature) for path in ("/webhooks/nobody", SIGNED)
    )

    assert nobodys.status_code == somebodys.status_code == 401
    assert nobodys.content == somebodys.content
    assert nobodys.headers == somebodys.headers
    assert app.logged()[-1]["refused"] == why


@bad_input("B11", "a secret or key that is empty or blank, no credential, no file", "no start")
@pytest.mark.parametrize("text", ["shared_secrets = ['']", "shared_secrets = []", None])
def test_without_a_real_secret_it_does_not_start(
    tmp_path: Path, refusal: Refusal, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "sources.toml").write_text(f"[[source]]\nname = 'a'\n{text}\n")

    said = refusal()

    assert "SEAMLINE_SOURCES" in said
    assert "\n" not in said


@bad_input("B10", "the signature of a secret that was taken out before a restart", "401")
def test_a_secret_that_is_gone_is_gone(
    make_app: Callable[..., AppReceiver], tmp_path: Path
) -> None:
    source = Source("signed", shared_secrets=("new secret",))
    write_sources(tmp_path / "sources.toml", [source, SOURCES[0]])
    receiver = make_app()

    for secret, status in (("old secret", 401), ("new secret", 200)):
        answer = receiver.post(SIGNED, "{}", headers={"X-Signature": sign(b"{}", secret)})
        assert answer.status_code == status


@bad_input("B19", "signatures wrong in the first and in the last byte", "compared in constant time")
def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare_digest(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(auth.hmac, "compare_digest", compare_digest)
    right = bytes.fromhex(sign(b"{}"))
    for wrong in (bytes([right[0] ^ 1]) + right[1:], right[:-1] + bytes([right[-1] ^ 1])):
        assert not auth.is_signed(SOURCES[2], wrong.hex(), b"{}")

    assert [len(given) for _, given in compared] == [20] * 4  # two secrets, always both
    assert {right} == {own for own, _ in compared[::2]}


@bad_input("B19", "write keys that share a beginning with a right one", "found by their digest")
def test_a_write_key_is_looked_up_by_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = Sources(SOURCES)
    looked_up = []
    monkeypatch.setattr(
        "receiver.senders.sources.hashlib.sha256",
        lambda key: looked_up.append(key) or hashlib.new("sha256", key),
    )

    assert sources.with_key(b"web-kez", Endpoint.TRACKING) is None
    assert looked_up == [b"web-kez"]
    assert all(len(digest) == 32 for digest in vars(sources)["_by_digest"])


def processor_seconds(app: AppReceiver, signature: str) -> float:
    """Send some requests; return the processor time that they take at least."""

    def send() -> None:
        for _ in range(10):
            app.post(SIGNED, "{}", headers={"X-Signature": signature})

    return least_processor_seconds(send, turns=10)


@bad_input("B84", "a flood of wrong signatures", "401 at no more processor than 1.5 times "
           "a right one, good events within 5 seconds")  # fmt: skip
def test_a_wrong_signature_costs_no_more_processor_than_a_right_one(app: AppReceiver) -> None:
    """How good events fare meanwhile, `faults/test_clients.py` shows."""
    watch = Watch(app)
    right = processor_seconds(app, sign(b"{}"))
    wrong = processor_seconds(app, "0" * 40)

    assert wrong < 1.5 * right
    watch.must_be_unharmed()
