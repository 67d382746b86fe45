"""Bad inputs: too much, packed or not, and what it may cost."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.receiver.app import AppReceiver
from tests.support.receiver.attack import (
    KEY,
    Case,
    Line,
    Watch,
    bad_input,
    cpu_seconds,
    cpu_seconds_of_unpacking,
    each,
    event,
    lands,
    must_come_of,
    refused,
    rejected,
    waits_of_good_senders,
)
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import SEGMENT_GIVES_UP, basic, new_id
from tests.support.receiver.server import RunningReceiver

MB = 1 << 20
GZIP = KEY | {"Content-Encoding": "gzip"}
PLAIN = b'{"type":"track","messageId":"packed"}'
PACKED = gzip.compress(PLAIN)
MANY = 1_200_000  # values: more than are made objects of without counting them first


def encoded(encoding: str) -> dict[str, str]:
    return KEY | {"Content-Encoding": encoding}


def padded(size: int) -> bytes:
    """Return an event of so many bytes, once its id is in it."""
    bare = event(b'"x":""').replace(b"%ID%", new_id().encode())
    return event(b'"x":"' + b"x" * (size - len(bare)) + b'"')


def unpacked(number: str, what: str, body: bytes, headers: dict[str, str] = GZIP) -> Case:
    return Case(number, what, 200, (Line("track", PLAIN),), body, headers)


CASES = [
    refused("B23", "a body announced as 128 MiB and a byte", 413, wire=b"POST /webhooks/hooks "
            b"HTTP/1.1\r\nHost: x\r\nAuthorization: " + KEY["Authorization"].encode()
            + b"\r\nContent-Length: 134217729\r\n\r\n{"),
    refused("B23", "a body announced as a number of 30 digits", 413, wire=b"POST /webhooks/hooks "
            b"HTTP/1.1\r\nHost: x\r\nAuthorization: " + KEY["Authorization"].encode()
            + b"\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n{"),
    refused("B23", "a body of more than 1 MiB with the key in it", 413, path="/v1/track",
            headers={}, body=b'{"writeKey":"web-key","messageId":"%ID%"}' + b" " * MB),
    lands("B58", "an event of 1 MiB", padded(MB)),
    rejected("B58", "an event of 1 MiB and a byte", padded(MB + 1), "too_big"),
    rejected("B58", "an event of 10 MiB", padded(10 * MB), "too_big"),
    Case("B58", "an event of 2 MiB between two good ones", 200,
         (Line("track", event()), Line("rejected", padded(2 * MB), "too_big"),
          Line("track", event())),
         b"[" + event() + b"," + padded(2 * MB) + b"," + event() + b"]"),
    refused("B74", "10,001 events", 413, body=b"[" + b",".join([b"{}"] * 10_001) + b"]"),
    refused("B74", "100,001 empty events", 413, body=b"[" + b",".join([b"{}"] * 100_001) + b"]"),
    refused("B74", "1,200,000 empty events", 413, body=b"[" + b"{}," * (MANY - 1) + b"{}]"),
    refused("B74", "1,200,000 numbers", 413, body=b"[" + b"1," * (MANY - 1) + b"1]"),
    refused("B74", "a batch of 1,200,000 empty events", 413, path="/v1/batch",
            headers=basic("web-key"), body=b'{"batch":[' + b"{}," * (MANY - 1) + b"{}]}"),
    rejected("B74", "a batch with 1,200,000 fields beside it",
             lambda: b'{"batch":[],' + b",".join(b'"%d":1' % n for n in range(MANY)) + b"}",
             "too_many_keys", path="/v1/batch", headers=basic("web-key")),
    Case("B74", "an empty batch with 1,200,000 values in a field of another name", 200, (),
         b'{"batch":[],"x":[' + b"1," * (MANY - 1) + b"1]}", basic("web-key"), "/v1/batch"),
    refused("B74", "1,200,000 empty events without an end", 413,
            body=b"[" + b"{}," * (MANY - 1) + b"{}"),
    rejected("B74", "1,200,000 values in one event",
             event(b'"x":[' + b"1," * (MANY - 1) + b"1]"), "too_big"),
    unpacked("B75", "gzip", PACKED),
    unpacked("B75", "gzip under its old name", PACKED, encoded("X-GZIP")),
    rejected("B77", "gzip that is cut", PACKED[:-4], "bad_gzip", headers=GZIP),
    rejected("B77", "gzip with something behind it", PACKED + b"x", "bad_gzip", headers=GZIP),
    rejected("B77", "gzip with zeros behind it", PACKED + bytes(8), "bad_gzip", headers=GZIP),
    rejected("B77", "gzip with a wrong checksum", PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:],
             "bad_gzip", headers=GZIP),
    unpacked("B77", "gzip of two members", gzip.compress(PLAIN[:9]) + gzip.compress(PLAIN[9:])),
    rejected("B77", "gzip of 1,000 members", b"".join([gzip.compress(b" ")] * 1000), "bad_gzip",
             headers=GZIP),
    Case("B77", "gzip of gzip, announced once: unpacked once", 200,
         (Line("rejected", PACKED, "not_utf8"),), gzip.compress(PACKED), GZIP),
    refused("B77", "gzip of nothing", 400, body=gzip.compress(b""), headers=GZIP),
    *(refused("B77", f"the encoding `{name}`", 415, headers=encoded(name))
      for name in ("gzip, gzip", "br", "zstd", "deflate")),
    *(unpacked("B77", f"the encoding `{name}`, which is none", PLAIN, encoded(name))
      for name in ("chunked", "nonsense")),
    unpacked("B78", "a plain body that is announced as gzip", PLAIN),
    rejected("B78", "a gzip body that is not announced", PACKED, "not_utf8"),
    unpacked("B78", "a plain body with an empty encoding", PLAIN, encoded("")),
]  # fmt: skip


@each(CASES)
def test_too_much_is_refused_or_kept_and_never_cut(case: Case, receiver: Landing) -> None:
    must_come_of(case, receiver)


@bad_input("B24", "a chunked body of 3 MiB, where 1 MiB may come", "413, nothing lands")
def test_a_chunked_body_over_the_limit_is_not_cut(app: AppReceiver) -> None:
    watch = Watch(app)
    marker = new_id()

    def pieces() -> Iterator[bytes]:
        yield b'{"writeKey":"web-key","messageId":"%b"}' % marker.encode()
        for _ in range(30):
            yield b" " * 100_000

    answer = app.post("/v1/track", pieces(), headers={})

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert watch.new_lines() == []
    watch.must_be_unharmed(None, marker)


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    """A receiver with one worker, all defaults, whose memory is watched."""
    running = RunningReceiver(tmp_path_factory.mktemp("weighed"), workers=1)
    running.http.timeout = 60
    yield running
    running.kill()


def forget_most_memory(running: RunningReceiver) -> int:
    """Begin to measure anew; return what the worker holds now."""
    (worker,) = running.workers()
    Path(f"/proc/{worker}/clear_refs").write_text("5")
    return psutil.Process(worker).memory_info().rss


on_linux = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the most memory held"
)


@on_linux
@bad_input("B76", "10 MB of gzip that unpack to 10 GB", "413, processor for no more than five "
           "times the limit, memory for the limit and 16 MiB")  # fmt: skip
def test_a_gzip_bomb_costs_no_more_than_the_limit(weighed: RunningReceiver) -> None:
    packer = zlib.compressobj(9, wbits=31)
    start, again = (packer.compress(bytes(MB)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    bomb = start + again * 10_000
    before = forget_most_memory(weighed)
    cpu_before = cpu_seconds(weighed)

    answer = weighed.post("/webhooks/hooks", bomb, headers=GZIP)
    cost = cpu_seconds(weighed) - cpu_before

    assert len(bomb) > 9 * MB
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert cost < 5 * cpu_seconds_of_unpacking(start + again * 127)  # 78 times would be all of it
    assert weighed.most_memory() - before < 128 * MB + len(bomb) + 16 * MB


def large_batch(number: int) -> tuple[bytes, list[str]]:
    """Return events of 32 KB as one array: Segment sends 4,000 at most."""
    ids = [f"{new_id()}-{n:04d}" for n in range(number)]
    bare = len(json.dumps({"type": "track", "messageId": ids[0], "x": ""}))
    fill = "x" * (32 * 1024 - bare)
    events = [json.dumps({"type": "track", "messageId": one, "x": fill}) for one in ids]
    return f"[{','.join(events)}]".encode(), ids


@on_linux
@bad_input("B73", "4,000 events of 32 KB: 125 MiB", "200, all land, memory for less than 3 bodies")
@pytest.mark.parametrize(
    "number",
    [pytest.param(1000, id="short"), pytest.param(4000, id="long", marks=pytest.mark.long)],
)
def test_the_largest_batch_of_segments_lands_in_less_memory_than_three_of_it(
    weighed: RunningReceiver, number: int
) -> None:
    body, ids = large_batch(number)
    before = forget_most_memory(weighed)

    answer = weighed.post("/webhooks/hooks", body, headers=KEY)

    assert answer.status_code == 200
    assert weighed.most_memory() - before < 3 * len(body)
    landed = [line[: line.index(b',"received_at"')] for line in weighed.lines("track")]
    found = {line.rpartition(b'"message_id":"')[2].strip(b'"').decode() for line in landed}
    assert set(ids) <= found


@on_linux
@bad_input("B74", "64 MiB of `{},`", "413, memory for less than 3 bodies, good "
           "events within 5 seconds")  # fmt: skip
def test_millions_of_values_cost_no_objects(weighed: RunningReceiver) -> None:
    body = b"[" + b"{}," * (64 * MB // 3) + b"{}]"
    before = forget_most_memory(weighed)

    answer = weighed.post("/webhooks/hooks", body, headers=KEY)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_many")
    assert weighed.most_memory() - before < 3 * len(body)
    assert waits_of_good_senders(weighed, 5)[-1] < SEGMENT_GIVES_UP


TIGHT = {
    "body_bytes": 2000,
    "event_bytes": 1000,
    "keyless_bytes": 500,
    "batch_events": 3,
    "depth": 5,
}
BATCH_OF = b'{"writeKey":"web-key","batch":[]}'


@pytest.fixture(scope="module")
def tight(make_apps: Callable[..., AppReceiver]) -> AppReceiver:
    """A receiver with limits that are soon reached."""
    return make_apps(**TIGHT)


@bad_input("B58", "limits that are set otherwise", "hold to the byte")
@pytest.mark.parametrize(
    ("setting", "body", "over"),
    [
        ("body_bytes", lambda n: b"[" + b" " * (n - 2) + b"]", "413"),
        ("event_bytes", lambda n: b'{"type":"track","x":"' + b"x" * (n - 23) + b'"}', "too_big"),
        ("keyless_bytes", lambda n: BATCH_OF + b" " * (n - len(BATCH_OF)), "413"),
        ("batch_events", lambda n: b"[" + b",".join([event()] * n) + b"]", "413"),
        ("depth", lambda n: b'{"type":"track","x":' + b"[" * (n - 1) + b"]" * (n - 1) + b"}",
         "too_deep"),
    ],
    ids=TIGHT,
)  # fmt: skip
def test_a_limit_holds_to_the_byte(
    tight: AppReceiver, setting: str, body: Callable[[int], bytes], over: str
) -> None:
    keyless = setting == "keyless_bytes"
    path, headers = ("/v1/batch", {}) if keyless else ("/webhooks/hooks", KEY)

    def outcome(size: int) -> str:
        watch = Watch(tight)
        answer = tight.post(path, body(size), headers=headers)
        reasons = [line.reason for line in watch.new_lines() if line.reason]
        return (reasons or [str(answer.status_code)])[0]

    assert outcome(TIGHT[setting]) == "200"
    assert outcome(TIGHT[setting] + 1) == over
