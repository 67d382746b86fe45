"""A 200 means: the event is on the disk."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.support.receiver import Load, RunningReceiver, landed_ids, new_id, payload_of

StartReceiver = Callable[..., RunningReceiver]


def test_the_answer_is_the_one_all_sdks_accept(server: RunningReceiver) -> None:
    answer = server.post("/v1/track", "{}")

    assert (answer.status_code, answer.content) == (200, b'{"success": true}')


def test_an_answered_event_is_on_the_disk_byte_for_byte(server: RunningReceiver) -> None:
    message_id = new_id()
    body = b'{ "messageId":"%b","z":1.10, "a":12345678901234567890123,"\xc3\xa9":"\\u00e9" }'
    body %= message_id.encode()

    server.post("/v1/track", body)

    lines = [line for line in server.lines("track") if message_id.encode() in line]
    assert [payload_of(line) for line in lines] == [body]


def test_line_breaks_between_tokens_become_spaces(server: RunningReceiver) -> None:
    message_id = new_id()

    server.post("/v1/track", f'\n{{\r\n"messageId":\n"{message_id}"\n}}\n')

    lines = [line for line in server.lines("track") if message_id.encode() in line]
    assert [payload_of(line) for line in lines] == [b'{  "messageId": "%b" }' % message_id.encode()]


def test_killing_everything_right_after_the_answers_loses_none(
    start_receiver: StartReceiver,
) -> None:
    running = start_receiver()
    load = Load(running)
    time.sleep(1)
    running.kill()

    acknowledged = load.stop()

    assert len(acknowledged) > 8
    assert acknowledged - landed_ids(running.landing) == set()


def test_requests_are_read_while_the_disk_is_slow(start_receiver: StartReceiver) -> None:
    slow = "import os, time; sleep = time.sleep; os.fdatasync = lambda fd: sleep(3)"
    running = start_receiver(slow, workers=1)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(running.post, "/v1/track", "{}")
        time.sleep(0.3)
        other = running.get("/health/live")

        assert other.status_code == 200
        assert not waiting.done()
        assert waiting.result().status_code == 200


def test_a_disk_that_takes_too_long_means_503(start_receiver: StartReceiver) -> None:
    stuck = "import os, time; sleep = time.sleep; os.fdatasync = lambda fd: sleep(2)"
    running = start_receiver(stuck, commit_seconds=0.3)

    answer = running.post("/v1/track", "{}")

    assert (answer.status_code, answer.json()["code"]) == (503, "slow_disk")
    assert answer.headers["Retry-After"]


def test_one_request_is_one_batch_and_many_ids(server: RunningReceiver) -> None:
    ids = [new_id() for _ in range(4000)]
    body = json.dumps({"batch": [{"type": "track", "messageId": one} for one in ids]})

    server.post("/v1/batch", body)

    assert set(ids) <= landed_ids(server.landing)
