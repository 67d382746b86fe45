"""Bad inputs: a key that is used for what it is not for, and what shows a key."""

import base64
import gzip
import json
import random
import zlib
from collections.abc import Callable, Generator
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest

from receiver.senders.masking import Mask
from receiver.senders.sources import load_sources
from receiver.server import native_threads
from tests.receiver.bad_inputs.test_signatures import sign
from tests.support.processor_time import least_processor_seconds
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.attack import (
    Case,
    Line,
    bad_input,
    each,
    event,
    lands,
    must_come_of,
    refused,
    rejected,
)
from tests.support.receiver.fixtures import Refusal
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import basic, new_id

PAGE, BACKEND, PARTNER = map(basic, ("page-key", "backend-key", "partner-key"))
OLD, OLD_HOOK = map(basic, ("web-key", "hooks-key"))
SEGMENT = "/webhooks/segment"

DELETE = event(b'"userId":"victim"', b"delete")
BATCH = b'{"batch":[%b,%b]}' % (DELETE, event())
LARGE = event(b'"x":"%b"' % (b"x" * (32 << 10)))
JUST_FITS = b'{"type":"track","x":"%b"}' % (b"x" * ((32 << 10) - 23))
CONTEXT = b'{"batch":[%b],"context":{"x":"%b"}}'


def with_key_inside(size: int) -> bytes:
    return b'{"writeKey":"page-key","batch":[],"x":"' + b"x" * size + b'"}'


def refused_delete(what: str, headers: object, path: str, **more: object) -> Case:
    return rejected("B110", what, DELETE, "delete_not_allowed", path=path, headers=headers, **more)


def first_signed(key: str) -> Callable[[bytes], dict[str, str]]:
    return lambda body: {"X-Signature": sign(body[1 : body.index(b"}") + 1])} | basic(key)


CASES = [
    refused_delete("a deletion by a page", PAGE, "/v1/track"),
    refused_delete("a deletion by a server", BACKEND, "/v1/identify"),
    refused_delete("a deletion by an old key", OLD, "/v1/t"),
    refused_delete("a deletion by a source's webhook that may not order it",
                   lambda body: {"X-Signature": sign(body)}, "/webhooks/signed"),
    refused_delete("a deletion by an old key at a webhook", OLD_HOOK, "/webhooks/hooks"),
    Case("B110", "a deletion in a page's batch: its neighbour lands", 200,
         (Line("rejected", DELETE, "delete_not_allowed"), Line("track", event())), BATCH,
         PAGE, "/v1/batch"),
    Case("B110", "a deletion behind a signed event, for which an old key vouches", 200,
         (Line("track", event()), Line("rejected", DELETE, "delete_not_allowed")),
         b"[%b,%b]" % (event(), DELETE), first_signed("signed-key"), "/webhooks/signed"),
    lands("B110", "a signed deletion, of a source that may order it", DELETE, "delete",
          path=SEGMENT, headers=lambda body: {"X-Signature": sign(body, "segment secret")}),
    refused("B111", "a page's key at a webhook", 401, path="/webhooks/page", headers=PAGE),
    refused("B111", "a server's key at a webhook", 401, path="/webhooks/backend", headers=BACKEND),
    refused("B111", "a webhook's key in the tracking API", 401, path="/v1/track", headers=PARTNER),
    refused("B111", "a webhook's key in a body", 401, path="/v1/batch", headers={},
            body=b'{"writeKey":"partner-key","batch":[]}'),
    refused("B111", "a webhook's key in a broken body", 401, path="/v1/batch", headers={},
            body=b'{"writeKey":"partner-key","batch":['),
    refused("B111", "a shared secret as a key", 401, path="/v1/track",
            headers=basic("segment secret")),
    rejected("B112", "an event of 32 kB and more by a page", LARGE, "too_big", path="/v1/track",
             headers=PAGE),
    lands("B112", "an event of 32 kB by a page", JUST_FITS, path="/v1/track", headers=PAGE),
    lands("B112", "an event of 32 kB and more by a server", LARGE, path="/v1/track",
          headers=BACKEND),
    refused("B112", "500 kB and more by a page", 413, path="/v1/batch", headers=PAGE,
            body=b'{"batch":[],"x":"%b"}' % (b"x" * (500 << 10))),
    refused("B112", "500 kB and more by a page, packed", 413, path="/v1/batch",
            headers=PAGE | {"Content-Encoding": "gzip"},
            body=gzip.compress(b'{"batch":[],"x":"%b"}' % (b"x" * (500 << 10)))),
    refused("B112", "500 kB and more, with a page's key in it", 413, path="/v1/batch", headers={},
            body=with_key_inside(500 << 10)),
    refused("B112", "a page's batch whose `context` would make 32 MB of 40 kB", 413,
            path="/v1/batch", headers=PAGE,
            body=CONTEXT % (b",".join([b"{}"] * 2000), b"x" * 16_000)),
    refused("B113", "a key of a source that signs, in the tracking API", 401, path="/v1/track",
            headers=basic("segment-key")),
    refused("B113", "a key of a source that signs, alone at its webhook", 401, path=SEGMENT,
            headers=basic("segment-key")),
    lands("B117", "an old key beside shared secrets, in the tracking API", event(),
          path="/v1/track", headers=basic("signed-key")),
    refused("B119", "gzip that nobody announced, larger than a request may be", 413,
            path="/v1/batch", headers=PAGE, body=gzip.compress(b"[" + b"1," * (1 << 18))),
]  # fmt: skip


@each(CASES)
def test_a_key_does_what_it_is_for_and_nothing_else(case: Case, receiver: Landing) -> None:
    must_come_of(case, receiver)


@bad_input("B110", "a deletion by a pixel", "an image, `rejected/`: `delete_not_allowed`")
@pytest.mark.parametrize("key", ["page-key", "web-key"])
def test_a_pixel_orders_no_deletion(app: AppReceiver, key: str) -> None:
    victim = new_id()
    order = {"writeKey": key, "type": "delete", "userId": victim}
    data = base64.b64encode(json.dumps(order).encode()).decode()

    app.get(f"/v1/pixel/track?data={quote(data)}")
    app.get(f"/v1/pixel/identify?writeKey={key}&type=delete&userId={victim}")

    assert app.lines("delete", holding=victim) == []
    assert [one["reason"] for one in app.rejected(victim.encode())] == ["delete_not_allowed"] * 2


@bad_input("B111", "a key that is no page's in a pixel", "an image, nothing lands")
@pytest.mark.parametrize("key", ["backend-key", "partner-key", "segment-key"])
def test_a_pixel_shows_no_servers_key(app: AppReceiver, key: str) -> None:
    marker = new_id()

    app.get(f"/v1/pixel/track?writeKey={key}&messageId={marker}")

    assert app.landed(marker) == []
    assert app.logged()[-1]["refused"] == "unauthorized"


NO_START = {
    ("B113", "server_keys beside shared_secrets"): "server_keys = ['k']\nshared_secrets = ['s']",
    ("B113", "browser_keys beside shared_secrets"): "browser_keys = ['k']\nshared_secrets = ['s']",
    ("B114", "a key of two kinds"): "browser_keys = ['k']\nserver_keys = ['k']",
    ("B114", "an old key of a new kind"): "write_keys = ['k']\nbrowser_keys = ['k']",
    ("B114", "a key that is a shared secret"): "webhook_keys = ['k']\nshared_secrets = ['k']",
    ("B114", "`may_delete` without a webhook"): "server_keys = ['k']\nmay_delete = true",
    ("B114", "`may_delete` with an old key"): "write_keys = ['k']\nmay_delete = true",
}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, marks=bad_input(number, what, "no start"), id=what)
        for (number, what), text in NO_START.items()
    ],
)
def test_credentials_that_contradict_each_other_do_not_start(
    tmp_path: Path, refusal: Refusal, text: str
) -> None:
    (tmp_path / "sources.toml").write_text(f"[[source]]\nname = 'site'\n{text}\n")

    said = refusal()

    assert "site" in said
    assert "\n" not in said


def warnings_for(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "sources.toml"
    path.write_text(text)
    path.chmod(mode)
    return "\n".join(load_sources(path).warnings)


STRONG = "0123456789abcdef"


@bad_input("B115", "a key or secret that can be guessed", "a warning at the start, without it")
@pytest.mark.parametrize("kind", ["browser_keys", "server_keys", "webhook_keys", "shared_secrets"])
@pytest.mark.parametrize("weak", ["short-one", "0" * 64, "0123456789abcde", "abcde" * 10])
def test_a_weak_credential_is_warned_of_and_not_shown(tmp_path: Path, kind: str, weak: str) -> None:
    text = f"[[source]]\nname = 'site'\n{kind} = ['{STRONG}', '{weak}']\n"

    said = warnings_for(tmp_path, text)

    assert f"number 2 in {kind} of source site can be guessed" in said
    assert weak not in said


@bad_input("B116", "a `sources.toml` that others can read or change", "a warning at the start")
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o620, 0o666])
def test_a_file_that_others_can_use_is_warned_of(tmp_path: Path, mode: int) -> None:
    text = f"[[source]]\nname = 'site'\nserver_keys = ['{STRONG}']\n"

    assert "chmod 600" in warnings_for(tmp_path, text, mode)
    assert warnings_for(tmp_path, text, 0o640) == warnings_for(tmp_path, text) == ""


OLD_FILE = f"""
[[source]]
name = "hook"
shared_secrets = ["{STRONG}-secret"]

[[source]] # of long ago
name = "site"
write_keys = ["{STRONG}"]
shared_secrets = ["{STRONG}"]
"""


@bad_input("B117", "a file with `write_keys`", "goes on, with a warning that names the line")
def test_an_old_file_goes_on_and_says_which_line_to_change(
    tmp_path: Path, make_app: Callable[..., AppReceiver]
) -> None:
    (tmp_path / "sources.toml").write_text(OLD_FILE)
    (tmp_path / "sources.toml").chmod(0o600)
    receiver = make_app()

    answer = receiver.post("/v1/track", "{}", headers=basic(STRONG))

    assert answer.status_code == 200
    assert receiver.logged()[-1]["credential"] == "write_keys"
    said = [line["warning"] for line in receiver.logged("sources_warning")]
    assert [one for one in said if "sources.toml, line 8: write_keys of source site" in one]
    assert [one for one in said if "source hook does not say may_delete" in one]
    assert [one for one in said if "write_keys send to /v1 without a signature" in one]
    assert [one for one in said if "is a shared secret as well" in one]
    assert len(said) == 5
    assert STRONG not in receiver.log.read_text()


KEY = "page-key"
BROKEN = '{"writeKey":"page-key","marker":"%ID%","x":}'
ESCAPED = "\\u0070age\\u002Dkey"
SHOWN = {
    "as it is": BROKEN.encode(),
    "more than once": (BROKEN + BROKEN).encode(),
    "with JSON's escapes": BROKEN.replace(KEY, ESCAPED).encode(),
    "with its escapes in a string of JSON": json.dumps(BROKEN.replace(KEY, ESCAPED)).encode()[:-1],
    "in UTF-16": BROKEN.encode("utf-16"),
    "in UTF-16, the other way round": BROKEN.encode("utf-16-be"),
    "in UTF-16, with escapes": BROKEN.replace(KEY, ESCAPED).encode("utf-16"),
    "in UTF-32": BROKEN.encode("utf-32"),
    "in a form": b"data=" + quote(BROKEN).encode(),
    "in a form, all letters encoded": b"".join(b"%%%02X" % one for one in BROKEN.encode()),
    "in a form, with escapes": b"data=" + quote(BROKEN.replace(KEY, ESCAPED)).encode(),
    "in a form's field": b"writeKey=page%2dkey&x=%ID%",
    "beside those of another source": b'{"writeKey":"page-key","y":"segment-key segment secret"',
}  # fmt: skip


def read(text: bytes) -> str:
    """Read bytes as somebody would who looks for a key in them."""
    text = unquote_to_bytes(text.replace(b"\0", b"")).replace(b"\0", b"")
    for _ in range(2):
        text = text.replace(b"\\\\", b"\\").replace(b"\\u0070", b"p")
        text = text.replace(b"\\u002D", b"-")
    return text.decode("latin-1")


@bad_input("B118", "a key in a body that is kept, in any encoding", "200, `rejected/`, with `*` "
           "for each of its bytes")  # fmt: skip
@pytest.mark.parametrize("how", SHOWN)
def test_no_key_is_in_what_is_kept(app: AppReceiver, how: str) -> None:
    sent = SHOWN[how].replace(b"%ID%", b"m")
    before = len(app.lines("rejected"))

    assert app.post("/v1/track", sent, headers=PAGE).status_code == 200

    kept = base64.b64decode(json.loads(app.lines("rejected")[before])["body"])
    assert len(kept) == len(sent.strip())
    assert [one for one in ("page-key", "segment-key", "segment secret") if one in read(sent)]
    for one in ("page-key", "segment-key", "segment secret"):
        assert one not in read(kept)
    changed = [pair for pair in zip(sent.strip(), kept, strict=True) if pair[0] != pair[1]]
    assert {new for _, new in changed} == {ord("*")}


@bad_input("B118", "a key in gzip that nobody announced, or that is damaged", "likewise, and "
           "packed anew")  # fmt: skip
@pytest.mark.parametrize("headers", [PAGE, PAGE | {"Content-Encoding": "gzip"}, {}])
@pytest.mark.parametrize("end", [None, -4])
def test_no_key_is_in_gzip_that_is_kept(
    app: AppReceiver, headers: dict[str, str], end: int | None
) -> None:
    marker = new_id()
    body = BROKEN.replace("%ID%", marker).encode()
    before = len(app.lines("rejected"))

    assert app.post("/v1/batch", gzip.compress(body)[:end], headers=headers).status_code == 200

    kept = base64.b64decode(json.loads(app.lines("rejected")[before])["body"])
    if kept.startswith(b"\x1f\x8b"):
        kept = zlib.decompressobj(wbits=31).decompress(kept)
    assert kept == body.replace(b"page-key", b"********")


@bad_input("B118", "a key in gzip among a batch's events", "likewise, and packed anew")
def test_no_key_is_in_gzip_among_events(app: AppReceiver) -> None:
    texts = (b"page-key %d" % n for n in range(1000))
    packed = next(
        one
        for one in (gzip.compress(text, mtime=0)[:-8] for text in texts)
        if not set(b'"[]{},\\ \t\r\n') & set(one)
    )
    before = len(app.lines("rejected"))

    body = b'{"batch":[{"type":"page"},%b]}' % packed
    assert app.post("/v1/batch", body, headers=PAGE).status_code == 200

    kept = base64.b64decode(json.loads(app.lines("rejected")[before])["body"])
    assert zlib.decompressobj(wbits=31).decompress(kept).startswith(b"******** ")


NAMED = b"\x1f\x8b\x08\x08" + bytes(6) + b"page-key\0" + gzip.compress(b"no event", mtime=0)[10:]


@pytest.mark.parametrize(
    "packed",
    [gzip.compress(b"no event", mtime=0) + b" page-key.", NAMED],
    ids=["behind it", "in its name"],
)
def test_no_key_is_beside_gzip_that_is_kept(app: AppReceiver, packed: bytes) -> None:
    before = len(app.lines("rejected"))

    assert app.post("/v1/batch", packed, headers=PAGE).status_code == 200

    kept = base64.b64decode(json.loads(app.lines("rejected")[before])["body"])
    assert kept == packed.replace(b"page-key", b"********")


@pytest.mark.parametrize("pack", [bytes, lambda body: gzip.compress(body)[:-4]])
def test_a_large_body_is_searched_for_keys_in_turns(
    app: AppReceiver, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    """It may take a minute, and whoever else has something to compute would wait for that."""
    turns: list[Generator[None, None, bytes]] = []

    def in_noted_turns(work: Generator[None, None, bytes]) -> Generator[None, None, bytes]:
        while True:
            try:
                next(work)
            except StopIteration as end:
                return bytes(end.value)
            turns.append(work)
            yield

    monkeypatch.setattr(
        "receiver.events.batches.compute_in_turns",
        lambda work: native_threads.compute_in_turns(in_noted_turns(work)),
    )
    noise = random.Random(1).randbytes(500_000).hex().encode()  # noqa: S311 - no secret
    body = b'{"key":"page-key","x":"%b"' % noise
    before = len(app.lines("rejected"))

    assert app.post("/v1/track", pack(body)).status_code == 200

    kept = base64.b64decode(json.loads(app.lines("rejected")[before])["body"])
    text = zlib.decompressobj(wbits=31).decompress(kept) if pack is not bytes else kept
    assert text == body.replace(b"page-key", b"********")
    assert len(turns) >= 3  # a megabyte has four parts


@bad_input("B118", "a key in a pixel that is damaged", "an image, likewise")
@pytest.mark.parametrize("damage", ["{}!", "{}!x", "!{}", "x!{}", "xx!{}x", "xxx!{}", "%%%{}"])
@pytest.mark.parametrize("extra", ["", " ", "  "])
@pytest.mark.parametrize("beside", ["&writeKey=page-key", "&writeKey=%70age%2Dkey"])
def test_no_key_is_in_a_pixel_that_is_kept(
    app: AppReceiver, damage: str, extra: str, beside: str
) -> None:
    text = extra + BROKEN.replace("%ID%", "~~?")
    data = quote(damage.format(base64.b64encode(text.encode()).decode()), safe="")
    before = len(app.lines("rejected"))

    app.get(f"/v1/pixel/page?data={data}{beside}")

    (line,) = app.lines("rejected")[before:]
    kept = base64.b64decode(json.loads(line)["body"])
    assert "page-key" not in read(kept)
    assert quote(base64.b64encode(b"page-k"), safe="").encode() not in kept
    for shift in ("", "A", "AA"):  # wherever its first letter is
        encoded = base64.b64encode(f"{shift}page-key".encode())[4:-4]
        assert encoded not in kept


def test_what_is_no_key_stays_as_it_is() -> None:
    mask = Mask(["track", STRONG, 'a"b\\c/dääääääää-0123'])

    assert mask(b'{"type":"tracks","x":"backtrack","y":1}') == (
        b'{"type":"tracks","x":"backtrack","y":1}'
    )
    assert mask(b'{"k":"track"}') == b'{"k":"*****"}'
    assert mask(b"x%bx" % STRONG.encode()) == b"x****************x"
    body = json.dumps('a"b\\c/dääääääää-0123').encode()
    assert set(mask(body)[1:-1]) == {ord("*")}


def test_a_key_at_the_edge_of_a_part_is_hidden() -> None:
    mask = Mask([STRONG])
    escaped = "".join(f"\\u{ord(one):04x}" for one in STRONG).encode()
    for place in range((256 << 10) - 120, (256 << 10) + 5, 7):
        body = b"." * place + escaped + b"." * 100
        assert mask(body) == b"." * place + b"*" * len(escaped) + b"." * 100


@pytest.mark.parametrize("unit", [b"%41", b"\\u0041", b"a\0", STRONG.encode()])
def test_a_kept_body_is_searched_at_a_cost_that_grows_with_its_length(unit: bytes) -> None:
    mask = Mask([f"{STRONG}-{n}" for n in range(50)])
    short = unit * ((16 << 10) // len(unit))
    assert mask(short) is short

    cost = least_processor_seconds(lambda: mask(short))
    assert least_processor_seconds(lambda: mask(short * 8)) < 24 * cost  # 64, if by its square


def test_a_request_is_counted_by_the_kind_of_its_credential(app: AppReceiver) -> None:
    app.post("/v1/track", "{}", headers=PAGE)
    app.post(SEGMENT, b"{}", headers={"X-Signature": sign(b"{}", "segment secret")})

    text = app.get("/metrics").text
    assert 'seamline_credentials_total{kind="browser_keys",source="page"}' in text
    assert 'seamline_credentials_total{kind="shared_secrets",source="segment"}' in text
    assert "page-key" not in text
    assert app.logged()[-2]["credential"] == "shared_secrets"
