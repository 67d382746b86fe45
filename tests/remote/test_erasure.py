"""An erasure reaches what is in the store: waiting, loaded, packed, put aside; so does its list."""

from datetime import UTC, datetime

import pytest

from landed.object_store import Store, StoreError
from orchestration.erasure import erase
from orchestration.loading.archive import read_archive
from orchestration.loading.people import USER, Id
from orchestration.loading.suppressed import to_be_done
from orchestration.remote.process import finish
from orchestration.upkeep.archives import REST, pack_loaded_files
from receiver.events.suppression import LiveSuppression
from receiver.shipping.ship import Suppression
from tests.remote.machines import Loader, Machines, Receiver, event
from tests.support import landed
from tests.support.object_store import GOES_ON, FailingStore

pytestmark = [pytest.mark.scale, pytest.mark.usefixtures("nobody_waits")]

GONE = "gone-81d2"
WHO = {Id(USER, GONE)}


@pytest.fixture
def loader(machines: Machines) -> Loader:
    """The machine that loads, and does not wait long for open files."""
    return machines.loader(seal_seconds=0.3)


def lines(first: int) -> tuple[bytes, ...]:
    """Two events, of one who goes and of one who stays."""
    return (
        landed.line(event(first, userId=GONE)),
        landed.line(event(first + 1, userId="stays")),
    )


def everywhere(machines: Machines, receiver: Receiver, loader: Loader) -> None:
    """Have the person in files that are packed, loaded, put aside, fetched, and that wait."""
    landed.land(receiver.landing, "track", *lines(0), name="20261122T052446000000Z-a.ndjson")
    receiver.ship()
    loader.whole_pass()
    pack_loaded_files(loader.settings, datetime(2026, 11, 22, 6, 30, tzinfo=UTC) + REST)
    finish(loader.settings)
    landed.land(receiver.landing, "track", *lines(2), name="20261128T052446000000Z-b.ndjson")
    receiver.ship()
    loader.whole_pass()
    landed.land(receiver.landing, "track", *lines(4), name="20261128T052446000000Z-b.ndjson")
    receiver.ship()
    loader.whole_pass()
    landed.land(receiver.landing, "track", *lines(6), name="20261128T052446000000Z-c.ndjson")
    receiver.ship()
    loader.exchange()
    landed.land(receiver.landing, "track", *lines(8), name="20261128T052446000000Z-d.ndjson")
    receiver.ship()
    kinds = {key.partition("/")[0] for key in machines.keys("")}
    assert kinds >= {"waiting", "loaded", "archive", "conflicts", "loads", "loader"}


def all_text(machines: Machines, loader: Loader) -> str:
    """What is in the store, archives unpacked."""
    packed = []
    store = Store(machines.address)
    for key in machines.keys("archive"):
        path = loader.folder / "looked-at.tar.zst"
        path.write_bytes(store.read(key))
        packed += [data.decode() for _, data in read_archive(path)]
    return machines.text_in_store() + "".join(packed)


def test_nothing_of_a_person_is_left_in_the_store(
    machines: Machines, receiver: Receiver, loader: Loader
) -> None:
    everywhere(machines, receiver, loader)
    assert all_text(machines, loader).count(GONE) == 5

    done = erase.forget(loader.settings, WHO)

    text = all_text(machines, loader)
    assert done.lines == 5
    assert GONE not in text
    assert text.count("stays") == 5
    loader.whole_pass()
    assert set(loader.rows("select payload ->> '$.userId' from raw.track")) == {("stays",)}
    assert machines.keys("waiting") == []
    assert loader.problems() == []


def test_an_erasure_is_not_done_before_the_store_has_it_and_goes_on_by_itself(
    machines: Machines,
    receiver: Receiver,
    loader: Loader,
    failing: FailingStore,
) -> None:
    everywhere(machines, receiver, loader)
    failing.fault = lambda method, path: (
        "503" if method == "PUT" and "archive/" in path else GOES_ON
    )

    with pytest.raises(StoreError, match="SEAMLINE_LANDING_REMOTE"):
        erase.forget(loader.settings, WHO)
    assert GONE in all_text(machines, loader)
    assert len(to_be_done(loader.landing)) == 1

    failing.fault = lambda _method, _path: GOES_ON
    erase.forget_notified(loader.settings)  # the hourly one

    assert GONE not in all_text(machines, loader)
    assert to_be_done(loader.landing) == []


def test_who_is_suppressed_is_known_to_receivers_on_other_machines(
    machines: Machines, receiver: Receiver, loader: Loader
) -> None:
    suppression = Suppression(receiver.landing, Store(machines.address))
    suppression.bring()
    assert not (receiver.landing / "suppressed").exists()

    erase.forget(loader.settings, WHO)
    suppression.bring()

    people = LiveSuppression(receiver.landing).current()
    assert people is not None
    assert people.is_in(b'{"userId":"%b"}' % GONE.encode())
    assert not people.is_in(b'{"userId":"stays"}')


def test_what_comes_later_of_who_is_suppressed_is_kept_nowhere(
    machines: Machines, receiver: Receiver, loader: Loader
) -> None:
    erase.forget(loader.settings, WHO)
    landed.land(receiver.landing, "track", *lines(0))
    receiver.ship()

    loader.whole_pass()

    assert loader.rows("select payload ->> '$.userId' from raw.track") == [("stays",)]
    assert GONE not in all_text(machines, loader)
    assert loader.problems() == []
