"""Machines in folders of a test's own, and what each has and does."""

import json
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

from landed.object_store import Store
from orchestration.loading.load import Loaded, load
from orchestration.recovery.restore import restore_if_behind
from orchestration.remote.everything import Brought
from orchestration.remote.process import bring_everything, fetch_once, finish
from receiver.shipping.ship import SealedFiles
from tests.support import landed
from tests.support.house import House
from tests.support.memory_store import MemoryBucket
from tests.support.object_store import Bucket
from tests.support.receiver.landing import Landing

_number = count(1)


def event(number: int, **more: object) -> dict[str, object]:
    """A track call; its id says which."""
    return {"messageId": f"m{number}", "type": "track", "event": "Seen", "userId": "u"} | more


class Receiver:
    """A machine that only receives: a landing folder, and what ships from it."""

    def __init__(self, folder: Path, address: str) -> None:
        """Begin with nothing landed."""
        self.landing = folder / "landing"
        self.address = address
        for name in ("", "remote", "track"):
            (self.landing / name).mkdir(0o700, parents=True, exist_ok=True)

    def land(self, *numbers: int, call: str = "track", **more: object) -> Path:
        """Land events in one sealed file."""
        lines = [landed.line(event(number, **more)) for number in numbers]
        return landed.land(self.landing, call, *lines)

    def ship(self) -> int:
        """Ship what is sealed."""
        return SealedFiles(self.landing, Store(self.address)).ship()

    def left(self) -> list[str]:
        """The sealed files that are here."""
        return sorted(path.name for path in self.landing.glob("*/*.ndjson"))


class Loader(House):
    """The machine that loads."""

    def exchange(self) -> int:
        """Exchange with the store once."""
        return fetch_once(self.settings)

    def take(self) -> Loaded:
        """Load what is here."""
        return load(self.settings)

    def whole_pass(self) -> Loaded:
        """Fetch, load, and keep what was loaded."""
        fetch_once(self.settings)
        loaded = load(self.settings)
        finish(self.settings)
        return loaded

    def bring_all(self) -> Brought:
        """Bring all that another loader has kept."""
        return bring_everything(self.settings)

    def restored(self) -> int:
        """Make the warehouse again; return from how many files."""
        restored = restore_if_behind(self.settings)
        return restored.files if restored else 0

    def messages(self) -> Counter[str]:
        """The messages in the raw table, each with how many rows."""
        return Counter(name for (name,) in self.rows("select message_id from raw.track"))


class Machines:
    """What makes machines that share a bucket."""

    def __init__(
        self, bucket: Bucket | MemoryBucket, address: str, folder: Path, raw_house: Path
    ) -> None:
        """Choose the bucket, the address in it, and where their folders come."""
        self.bucket = bucket
        self.address = address
        self._folder = folder
        self._raw_house = raw_house
        self._prefix = address.removeprefix(f"s3://{bucket.name}/")

    def receiver(self) -> Receiver:
        """Another machine that receives."""
        return Receiver(self._folder / f"receiver-{next(_number)}", self.address)

    def loader(self, **settings: Any) -> Loader:
        """A machine that loads, with an empty landing folder and warehouse."""
        folder = self._folder / f"loader-{next(_number)}"
        folder.mkdir()
        return Loader(folder, landing_remote=self.address, **settings).move_in(self._raw_house)

    def keys(self, folder: str = "") -> list[str]:
        """What is in the store below a folder."""
        cut = len(self._prefix) + 1
        return [key[cut:] for key in self.bucket.keys(f"{self._prefix}/{folder}")]

    def text_in_store(self) -> str:
        """All that plain files in the store say."""
        texts = [
            self.bucket.get(f"{self._prefix}/{key}") for key in self.keys() if ".tar" not in key
        ]
        return b"\n".join(texts).decode()

    def once(self, numbers: range) -> Counter[str]:
        """What a raw table has to have of events: each once."""
        return Counter(f"m{number}" for number in numbers)

    def in_store(self, key: str) -> Any:
        """What an object says, as JSON lines."""
        return [json.loads(line) for line in self.bucket.get(f"{self._prefix}/{key}").splitlines()]


def send(receiver: Landing, *numbers: int) -> Any:
    """Send a batch."""
    batch = [
        {"type": "track", "messageId": f"m{number}", "userId": "u", "event": "Seen"}
        for number in numbers
    ]
    return receiver.post("/v1/batch", json.dumps({"batch": batch}))
