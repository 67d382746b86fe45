"""F40: an erasure while events come in and are loaded takes the person, and nobody else."""

import hashlib
import json
import threading
import time
from collections.abc import Callable

import pytest

from orchestration.erasure.erase import forget
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id
from tests.support.house import House
from tests.support.person import found_in
from tests.support.processes import eventually
from tests.support.receiver.landing import landed_ids
from tests.support.receiver.senders import new_id
from tests.support.receiver.server import RunningReceiver

GONE = "gone-7d01"


class Sender(threading.Thread):
    """Sends batches of the person and of somebody else until it is told to stop."""

    def __init__(self, receiver: RunningReceiver) -> None:
        """Prepare."""
        super().__init__(daemon=True)
        self._receiver = receiver
        self._stopped = threading.Event()
        self.stays: list[str] = []

    def run(self) -> None:
        """Send, and note what of others was acknowledged."""
        while not self._stopped.is_set():
            kept = new_id()
            batch = [
                {"type": "track", "userId": GONE, "messageId": new_id()},
                {"type": "track", "userId": "stays", "messageId": kept},
                {"type": "track", "userId": GONE, "messageId": "x" * 2000},
            ]
            answer = self._receiver.post("/v1/batch", json.dumps({"batch": batch}))
            assert answer.status_code == 200
            self.stays.append(kept)

    def stop(self) -> None:
        """Stop, once what was sent is answered."""
        self._stopped.set()
        self.join()


class Loader(threading.Thread):
    """Loads again and again."""

    def __init__(self, house: House) -> None:
        """Prepare."""
        super().__init__(daemon=True)
        self._house = house
        self._stopped = threading.Event()

    def run(self) -> None:
        """Load what is sealed."""
        while not self._stopped.is_set():
            load(self._house.settings)
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop after the load that is running."""
        self._stopped.set()
        self.join()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_person_is_erased_while_others_send_and_are_loaded(
    empty: House, start_receiver: Callable[..., RunningReceiver]
) -> None:
    receiver = start_receiver(seal_seconds=0.3, workers=2)
    sender, loader = Sender(receiver), Loader(empty)
    sender.start()
    loader.start()
    assert eventually(lambda: len(list(empty.landing.glob("loaded/track/*.ndjson"))) >= 2, 120)
    forget(empty.settings, {Id(USER, GONE)})

    at_once = found_in(empty.landing / "loaded", GONE)
    sent_by_then = len(sender.stays)
    assert eventually(lambda: len(sender.stays) > sent_by_then, 60)
    sender.stop()
    loader.stop()
    assert eventually(lambda: receiver.open_files() == [])
    load(empty.settings)
    assert at_once == []
    assert found_in(empty.landing.parent, GONE) == []
    rows = empty.rows("select message_id, payload ->> '$.userId' from raw.track")
    assert sorted(rows) == sorted((one, "stays") for one in sender.stays)
    assert landed_ids(empty.landing) == set()
    assert empty.rows("select count(*) from raw.rejected") == [(0,)]
    assert empty.rows("select sum(rows), sum(rejected) from raw.landed_file") == [(len(rows), 0)]
    assert empty.rows("select sum(lines) from raw.landed_count") == [(len(rows),)]
    assert dict(empty.rows("select file, sha256 from raw.landed_file")) == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in empty.landing.glob("loaded/*/*.ndjson")
    }
