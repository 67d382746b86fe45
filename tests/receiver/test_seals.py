"""Sealing: what is handed to the loader, and when."""

import errno
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from receiver.open_files import OpenFiles
from tests.support.receiver import Load, RunningReceiver, eventually, fails_with, landed_ids, new_id

StartReceiver = Callable[..., RunningReceiver]


def sealed(landing: Path) -> list[Path]:
    return list(landing.glob("*/*.ndjson"))


def test_a_file_is_sealed_when_it_is_old_enough(start_receiver: StartReceiver) -> None:
    running = start_receiver(seal_seconds=2)
    running.post("/v1/batch", '{"batch":[]}')
    running.post("/v1/track", "{}", headers={})
    without_events = list(running.landing.iterdir())
    running.post("/v1/track", "{}")
    at_once = sealed(running.landing)

    assert without_events == at_once == []
    assert eventually(lambda: len(sealed(running.landing)) == 1)
    assert running.open_files() == []


def test_a_file_is_sealed_when_it_is_big_enough(start_receiver: StartReceiver) -> None:
    running = start_receiver(seal_seconds=60, seal_bytes=1000, workers=1)
    for _ in range(2):
        running.post("/v1/track", json.dumps({"event": "x" * 2000}))

    assert eventually(lambda: len(sealed(running.landing)) == 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_answers_what_is_in_flight_and_seals_everything(
    start_receiver: StartReceiver, number: int
) -> None:
    running = start_receiver(seal_seconds=60)
    load = Load(running)
    time.sleep(0.5)

    assert running.stop(number) == 0
    acknowledged = load.stop()
    assert acknowledged
    assert running.open_files() == []
    assert acknowledged - landed_ids(running.landing) == set()
    assert not list(running.landing.glob("*/*.torn"))


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
    assert len(sealed(tmp_path)) == 1
