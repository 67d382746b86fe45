"""F40: an erasure while events come in and are loaded takes the person, and nobody else."""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.forget.erase import forget
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id
from tests.support.forget_house import House, found_in, house_in
from tests.support.receiver import RunningReceiver, eventually, landed_ids, new_id

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


@pytest.fixture
def house(tmp_path: Path) -> House:
    return house_in(tmp_path)


@pytest.mark.timeout(600)
def test_a_person_is_erased_while_others_send_and_are_loaded(
    house: House, start_receiver: Callable[..., RunningReceiver]
) -> None:
    receiver = start_receiver(seal_seconds=0.3, workers=2)
    sender, loader = Sender(receiver), Loader(house)
    sender.start()
    loader.start()
    assert eventually(lambda: len(list(house.landing.glob("loaded/track/*.ndjson"))) >= 2, 120)
    forget(house.settings, {Id(USER, GONE)})

    at_once = found_in(house.landing / "loaded", GONE)
    sent_by_then = len(sender.stays)
    assert eventually(lambda: len(sender.stays) > sent_by_then, 60)
    sender.stop()
    loader.stop()
    assert eventually(lambda: receiver.open_files() == [])
    load(house.settings)
    assert at_once == []
    assert found_in(house.landing.parent, GONE) == []
    rows = house.rows("select message_id, payload ->> '$.userId' from raw.track")
    assert sorted(rows) == sorted((one, "stays") for one in sender.stays)
    assert landed_ids(house.landing) == set()
    assert house.rows("select count(*) from raw.rejected") == [(0,)]
    assert house.rows("select sum(rows), sum(rejected) from raw.landed_file") == [(len(rows), 0)]
    assert house.rows("select sum(lines) from raw.landed_count") == [(len(rows),)]
    assert dict(house.rows("select file, sha256 from raw.landed_file")) == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in house.landing.glob("loaded/*/*.ndjson")
    }
