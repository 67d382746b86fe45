"""Files that cannot have the name of another are kept in the store as well, each of them."""

import pytest

from orchestration.erasure import erase
from orchestration.loading.people import USER, Id
from orchestration.upkeep import short_locks
from tests.remote.machines import Loader, Machines, Receiver, event
from tests.support import landed

NAME = "20261128T052446000000Z-a.ndjson"
KEYS = [
    "conflicts/track/20261128T052446000000Z-a.2.ndjson",
    "conflicts/track/20261128T052446000000Z-a.ndjson",
]
LINES = [landed.line(event(number, userId=f"gone-{number}")) for number in range(3)]


@pytest.fixture
def loader(shared: Machines, monkeypatch: pytest.MonkeyPatch) -> Loader:
    """The machine that loads."""
    monkeypatch.setattr(short_locks, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(erase, "SEEN_SECONDS", 0)
    return shared.loader(seal_seconds=0.3)


@pytest.fixture
def receiver(shared: Machines) -> Receiver:
    """A machine that receives."""
    return shared.receiver()


def ship(receiver: Receiver, line: bytes) -> None:
    """Ship a file of the one name."""
    landed.land(receiver.landing, "track", line, name=NAME)
    receiver.ship()


def test_each_is_kept_erased_and_brought_to_a_new_machine(
    shared: Machines, receiver: Receiver, loader: Loader
) -> None:
    for line in LINES:
        ship(receiver, line)
        loader.whole_pass()
    assert shared.keys("waiting") == []
    assert shared.keys("conflicts") == KEYS
    assert [shared.bucket.get(f"in/{key}") for key in KEYS] == [LINES[2], LINES[1]]

    erase.forget(loader.settings, {Id(USER, "gone-2")})
    assert [shared.bucket.get(f"in/{key}") for key in KEYS] == [b"\n", LINES[1]]

    new = shared.loader()
    new.bring_all()
    asides = [new.landing / f"{key.removeprefix('conflicts/')}.conflict" for key in KEYS]
    assert [path.read_bytes() for path in asides] == [b"\n", LINES[1]]


def test_one_that_is_fetched_while_another_of_the_name_waits(
    shared: Machines, receiver: Receiver, loader: Loader
) -> None:
    (loader.landing / "track").mkdir(parents=True, exist_ok=True)
    (loader.landing / "track" / f"{NAME}.conflict").write_bytes(LINES[1])
    landed.land(loader.landing, "track", LINES[0], name=NAME)
    ship(receiver, LINES[2])

    for _ in range(2):
        loader.exchange()
        assert shared.bucket.get(f"in/waiting/track/{NAME}") == LINES[2]
    loader.whole_pass()

    found = sorted(path.read_bytes() for path in loader.landing.glob("track/*.conflict"))
    assert found == sorted(LINES[1:])
    assert loader.messages() == shared.once(range(1))
    assert shared.keys("waiting") == []


def test_one_that_is_shipped_under_a_name_for_the_third_time(receiver: Receiver) -> None:
    for line in LINES:
        ship(receiver, line)

    found = sorted(path.read_bytes() for path in receiver.landing.glob("track/*.conflict"))
    assert found == sorted(LINES[1:])
