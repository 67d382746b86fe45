"""F21, F33, F38: clients that vanish, dawdle, flood or poison a batch cost only themselves."""

import http.client
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import psutil
import pytest

from tests.support.faults.driver import begin, connect, make_event, make_events, post_events, status
from tests.support.faults.report import Report
from tests.support.processes import eventually
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.attack import Watch
from tests.support.receiver.landing import landed_ids, payload_of
from tests.support.receiver.senders import SEGMENT_GIVES_UP, WEB, new_id
from tests.support.receiver.server import RunningReceiver


def seconds_of(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    """A receiver of one worker, where one request could hold up all, with short limits."""
    running = RunningReceiver(
        tmp_path_factory.mktemp("single"),
        "from receiver.server import connection; connection._HEADER_SECONDS = 1.5",
        seal_seconds=60,
        body_seconds=1.5,
        body_bytes=20_000_000,
        bodies_bytes=30_000_000,
    )
    yield running
    running.kill()


def test_a_client_that_leaves_before_its_answer_may_come_again_with_the_same_event(
    single: RunningReceiver,
) -> None:
    events = make_events(40)
    for number, event in enumerate(events):
        with begin(single, len(event.body)) as connection:
            # Half of them leave in the middle of the body, the others right behind it.
            connection.sendall(event.body if number % 2 else event.body[:-5])
    sent = post_events(single, events)

    assert {one.status for one in sent} == {200}
    landed = {payload_of(line) for line in single.lines()}
    assert {event.body for event in events} <= landed


def test_a_body_that_drips_has_a_deadline(single: RunningReceiver) -> None:
    with begin(single, 1000) as connection:
        started = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(status, connection)
            while not answer.done() and time.monotonic() < started + 60:
                connection.sendall(b"x")
                time.sleep(0.1)

            assert answer.result() == 408
        assert time.monotonic() - started > 1


def test_headers_that_drip_have_a_deadline(single: RunningReceiver) -> None:
    with connect(single) as connection:
        connection.sendall(b"POST /v1/track HTTP/1.1\r\n")
        started = time.monotonic()
        is_closed = False
        while not is_closed and time.monotonic() < started + 60:
            try:
                connection.sendall(b"X: y\r\n")
            except OSError:
                is_closed = True
            time.sleep(0.1)

        assert is_closed


SENDS_FOR_EVER = """
import socket, sys, time
port, how, authorization = int(sys.argv[1]), sys.argv[2], sys.argv[3]
connection = socket.create_connection(("127.0.0.1", port))
lines = ["POST /v1/track HTTP/1.1", "Host: x", f"Authorization: {authorization}", how, "", ""]
connection.sendall("\\r\\n".join(lines).encode())
data = bytes(1 << 20)
if "chunked" in how:
    data = b"100000\\r\\n" + data + b"\\r\\n"
ends = time.monotonic() + 30
try:
    while time.monotonic() < ends:
        connection.sendall(data)
except OSError:
    sys.exit(0)
sys.exit("nobody stopped it")
"""


@pytest.mark.parametrize("how", [f"Content-Length: {10**12}", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("authorization", [WEB["Authorization"], "Basic bm9ib2R5Og=="])
def test_a_client_that_never_stops_sending_is_cut_off_and_holds_nobody_up(
    single: RunningReceiver, how: str, authorization: str
) -> None:
    command = [sys.executable, "-c", SENDS_FOR_EVER, str(single.port), how, authorization]
    client = subprocess.Popen(command)
    waits = []
    while client.poll() is None:
        waits.append(seconds_of(lambda: single.get("/health/live")))
        time.sleep(0.02)

    assert client.returncode == 0
    assert max(waits) < SEGMENT_GIVES_UP
    assert waits  # somebody else was answered before the cut


def test_a_client_that_sends_all_of_a_refused_body_first_gets_its_answer(
    single: RunningReceiver,
) -> None:
    with begin(single, 25_000_000) as connection:
        connection.sendall(bytes(25_000_000))

        assert status(connection) == 413


def test_bodies_that_are_too_much_together_are_refused_and_cost_no_more_memory(
    single: RunningReceiver,
) -> None:
    (worker,) = map(psutil.Process, single.workers())
    before = worker.memory_info().rss
    connections = [begin(single, 12_000_000) for _ in range(8)]
    try:
        with ThreadPoolExecutor(8) as pool:
            for connection in connections:
                pool.submit(connection.sendall, bytes(11_000_000))
        grown = worker.memory_info().rss - before
        small = post_events(single, make_events(3))
        statuses = {status(connection) for connection in connections}
    finally:
        for connection in connections:
            connection.close()

    assert statuses == {408, 503}
    assert grown < 100_000_000
    assert {one.status for one in small} <= {200, 503}
    assert eventually(lambda: post_events(single, make_events(1))[0].promised)


def test_a_large_batch_holds_up_others_for_less_than_segment_waits(
    single: RunningReceiver, chance: random.Random
) -> None:
    event = make_event(chance, size=8000).body
    batch = b'{"batch":[%b]}' % b",".join([event] * 1500)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(single.post, "/v1/batch", batch)
        waits = []
        while not answer.done():
            waits.append(seconds_of(lambda: single.get("/health/live")))
            time.sleep(0.01)

    assert answer.result().status_code == 200
    assert max(waits) < SEGMENT_GIVES_UP


POISONS = {
    "bad_json": [b'{"type":"track",}', b"{'a':1}", b'{"type":"track","n":NaN}', b'{"a":01}'],
    "not_utf8": [b'{"type":"track","x":"\xff"}'],
    "not_object": [b"1", b'"text"', b"null", b"[1]", b"true"],
    "too_deep": [b'{"type":"track","x":' + b"[" * 200 + b"]" * 200 + b"}"],
    "duplicate_key": [b'{"type":"track","messageId":"a","messageId":"b"}'],
    "no_type": [b"{}", b'{"event":"x"}'],
    "unknown_type": [b'{"type":"explode"}', b'{"type":7}'],
    "bad_message_id": [b'{"type":"track","messageId":7}', b'{"type":"track","messageId":""}'],
    "too_big": [b'{"type":"track","x":"' + b"x" * 1_100_000 + b'"}'],
}


@pytest.fixture(scope="module")
def poisoned(make_apps: Callable[..., AppReceiver]) -> AppReceiver:
    """A receiver that keeps what it gets in one file: looking through it is quick."""
    return make_apps(seal_seconds=600)


@pytest.mark.parametrize(
    ("number", "poisons"),
    [
        pytest.param(400, 1, id="short"),
        pytest.param(4000, None, id="long", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("reason", sorted(POISONS))
def test_a_poisoned_event_costs_none_of_those_around_it(
    poisoned: AppReceiver, chance: random.Random, reason: str, number: int, poisons: int | None
) -> None:
    all_of_them = POISONS[reason]
    for poison in chance.sample(all_of_them, poisons or len(all_of_them)):
        marker = new_id()
        place = chance.randrange(number)
        start = b'{"type":"track","messageId":"%b-' % marker.encode()
        batch = [start + b'%d"}' % n for n in range(number)]
        batch[place] = poison
        watch = Watch(poisoned)

        answer = poisoned.post("/v1/batch", b'{"batch":[%b]}' % b",".join(batch))

        assert answer.status_code == 200
        (bad,) = [line for line in watch.new_lines() if line.folder == "rejected"]
        assert (bad.text, bad.reason) == (poison, reason)
        landed = [json.loads(line) for line in poisoned.lines("track", holding=marker)]
        assert {line["message_id"] for line in landed} == {
            f"{marker}-{n}" for n in range(number) if n != place
        }
        # Its place in the batch is in its time: the events of a request are a microsecond apart.
        times = sorted(datetime.fromisoformat(line["received_at"]) for line in landed)
        first = times[0] if place else times[0] - timedelta(microseconds=1)
        (line,) = poisoned.rejected(poison)[-1:]
        assert datetime.fromisoformat(line["received_at"]) == first + timedelta(microseconds=place)


def flood(running: RunningReceiver, goes_on: Callable[[int], bool]) -> int:
    """Send wrongly signed requests as fast as they are refused; return how many."""
    count = 0
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    body = b'{"type":"track","messageId":"forged"}'
    while goes_on(count):
        connection.request("POST", "/webhooks/signed", body, {"X-Signature": "0" * 40})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 401
        count += 1
    return count


@pytest.mark.parametrize(
    ("good", "forgeries"),
    [
        pytest.param(20, 30, id="short"),
        pytest.param(1000, 3000, id="long", marks=pytest.mark.chaos),
    ],
)
def test_a_flood_of_wrong_signatures_lands_nothing_and_delays_nobody(
    single: RunningReceiver, report: Report, good: int, forgeries: int
) -> None:
    """It goes on for as long as good events are sent, and for so many forgeries at least."""
    is_over = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        floods = [
            pool.submit(flood, single, lambda n: n < forgeries or not is_over.is_set())
            for _ in range(4)
        ]
        sent = post_events(single, make_events(good))
        is_over.set()

    forged = sum(one.result() for one in floods)
    waits = sorted(one.answered - one.sent for one in sent)
    assert {one.status for one in sent} == {200}
    assert {one.message_id for one in sent} <= landed_ids(single.landing)
    assert single.landed("forged") == []
    assert waits[-1] < SEGMENT_GIVES_UP
    report.add(
        "F21",
        "wrong signatures",
        forged=forged,
        landed=0,
        good_promised=len(sent),
        p99_of_good=f"{waits[len(waits) * 99 // 100] * 1000:.0f} ms",
    )
