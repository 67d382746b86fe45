"""A 200 means: the event is on the disk."""

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.processes import eventually
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.landing import landed_ids, payload_of
from tests.support.receiver.senders import new_id
from tests.support.receiver.server import RunningReceiver


def test_the_answer_is_the_one_all_sdks_accept(app: AppReceiver) -> None:
    answer = app.post("/v1/track", "{}")

    assert (answer.status_code, answer.content) == (200, b'{"success": true}')


def test_an_answered_event_is_on_the_disk_byte_for_byte(app: AppReceiver) -> None:
    message_id = new_id()
    body = b'{ "messageId":"%b","z":1.10, "a":12345678901234567890123,"\xc3\xa9":"\\u00e9" }'
    body %= message_id.encode()

    app.post("/v1/track", body)

    lines = app.lines("track", holding=message_id)
    assert [payload_of(line) for line in lines] == [body]


def test_line_breaks_between_tokens_become_spaces(app: AppReceiver) -> None:
    message_id = new_id()

    app.post("/v1/track", f'\n{{\r\n"messageId":\n"{message_id}"\n}}\n')

    lines = app.lines("track", holding=message_id)
    assert [payload_of(line) for line in lines] == [b'{  "messageId": "%b" }' % message_id.encode()]


SLOW_SYNC = """
import os, time
from pathlib import Path
sleep = time.sleep  # as it is before gevent makes it one that lets others run
def slow(descriptor):
    while Path({folder!r}, "is-slow").exists():
        Path({folder!r}, "syncing").touch()
        sleep(0.01)
os.fdatasync = slow
"""


def test_requests_are_read_while_the_disk_is_slow(
    start_receiver: Callable[..., RunningReceiver], tmp_path: Path
) -> None:
    running = start_receiver(SLOW_SYNC.format(folder=str(tmp_path)), commit_seconds=60)
    (tmp_path / "is-slow").touch()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(running.post, "/v1/track", "{}")
        assert eventually((tmp_path / "syncing").exists)

        assert running.get("/health/live").status_code == 200
        assert not waiting.done()
        (tmp_path / "is-slow").unlink()
        assert waiting.result().status_code == 200


def test_a_disk_that_takes_too_long_means_503(
    make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = make_app(commit_seconds=0.1)
    go = threading.Event()
    monkeypatch.setattr(os, "fdatasync", lambda _: go.wait(60))

    answer = receiver.post("/v1/track", "{}")
    go.set()

    assert (answer.status_code, answer.json()["code"]) == (503, "slow_disk")
    assert answer.headers["Retry-After"]


def test_one_request_is_one_batch_and_many_ids(app: AppReceiver) -> None:
    ids = [new_id() for _ in range(4000)]
    body = json.dumps({"batch": [{"type": "track", "messageId": one} for one in ids]})

    app.post("/v1/batch", body)

    assert set(ids) <= landed_ids(app.landing)
