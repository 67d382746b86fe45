"""Sealing: what is handed to the loader, and when."""

import errno
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from receiver.files.open_files import OpenFiles
from tests.support.faults.driver import Driver, judge
from tests.support.faults.failing_disk import fails_with
from tests.support.processes import eventually
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.landing import landed_ids
from tests.support.receiver.senders import new_id
from tests.support.receiver.server import RunningReceiver

StartReceiver = Callable[..., RunningReceiver]
MakeApp = Callable[..., AppReceiver]


def test_only_an_event_makes_a_file_and_it_is_not_sealed_at_once(make_app: MakeApp) -> None:
    receiver = make_app(seal_seconds=60)
    receiver.post("/v1/batch", '{"batch":[]}')
    receiver.post("/v1/track", "{}", headers={})
    without_events = list(receiver.landing.iterdir())
    receiver.post("/v1/track", "{}")

    assert without_events == receiver.sealed_files() == []
    assert len(receiver.open_files()) == 1


def test_a_file_is_sealed_when_it_is_old_enough(make_app: MakeApp) -> None:
    receiver = make_app(seal_seconds=0.1)
    receiver.post("/v1/track", "{}")

    assert eventually(lambda: len(receiver.sealed_files()) == 1)
    assert receiver.open_files() == []


def test_a_file_is_sealed_when_it_is_big_enough(make_app: MakeApp) -> None:
    receiver = make_app(seal_seconds=60, seal_bytes=1000)
    for _ in range(2):
        receiver.post("/v1/track", json.dumps({"event": "x" * 2000}))

    assert eventually(lambda: len(receiver.sealed_files()) == 2)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)]
)
def test_stopping_under_load_answers_or_refuses_and_seals_everything(
    start_receiver: StartReceiver, number: int
) -> None:
    running = start_receiver(seal_seconds=60)
    driver = Driver(running, batch=4)
    assert eventually(lambda: driver.promised() > 20)
    assert running.stop(number) == 0
    sent = driver.stop()

    assert {one.status for one in sent} <= {200, 503, None}
    assert running.open_files() == list(running.landing.glob("*/*.torn")) == []
    assert judge(running.landing, sent).faults == {}


def test_flasks_own_server_seals_at_its_end(start_receiver: StartReceiver) -> None:
    running = start_receiver(
        # As `flask --app receiver run` does, on the port the receiver was told.
        "import os, sys; from flask.cli import main; "
        "sys.argv = ['flask', '--app', 'receiver', 'run', '--port', os.environ['SEAMLINE_PORT']]; "
        "main()",
        seal_seconds=60,
    )
    message_id = new_id()
    running.post("/v1/track", json.dumps({"messageId": message_id}))
    running.stop(signal.SIGINT)

    assert running.open_files() == []
    assert message_id in landed_ids(running.landing)


def test_a_file_that_somebody_removed_is_let_go(tmp_path: Path) -> None:
    files = OpenFiles(tmp_path, seal_seconds=0, seal_bytes=1000, reserve_bytes=0)
    files.commit({"track": [b"line\n"]})
    (file,) = files.all()
    file.path.unlink()

    (problem,) = files.seal(files.due())

    assert problem.startswith("track: ")
    assert files.all() == []


def test_a_file_that_cannot_be_sealed_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = OpenFiles(tmp_path, seal_seconds=0, seal_bytes=1000, reserve_bytes=0)
    files.commit({"track": [b"line\n"]})
    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", fails_with(errno.EROFS))
        assert len(files.seal(files.due())) == 1

    assert files.seal(files.due()) == []
    assert len(list(tmp_path.glob("*/*.ndjson"))) == 1
