"""A copy in the store's `loaded/` of which nothing is known goes once its file is packed."""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from landed.object_store import Store
from orchestration.erasure import erase
from orchestration.loading.people import USER, Id
from orchestration.remote.known import FileState, KnownObjects
from orchestration.upkeep.archives import REST, pack_loaded_files
from tests.remote.machines import Loader, Machines, Receiver, event
from tests.support import landed

pytestmark = pytest.mark.usefixtures("nobody_waits")

GONE = "gone-81d2"
NAME = "20261122T052446000000Z-a.ndjson"
KEY = f"loaded/track/{NAME}"
Objects = Iterable[tuple[str, str, FileState]]


@pytest.fixture
def loader(shared: Machines) -> Loader:
    """The machine that loads, and does not wait long for open files."""
    return shared.loader(seal_seconds=0.3)


@pytest.fixture
def receiver(shared: Machines) -> Receiver:
    """A machine that receives; it has shipped a file of two people."""
    made = shared.receiver()
    landed.land(made.landing, "track", *lines(0), name=NAME)
    made.ship()
    return made


def lines(first: int) -> tuple[bytes, ...]:
    """Two events, of one who goes and of one who stays."""
    return (
        landed.line(event(first, userId=GONE)),
        landed.line(event(first + 1, userId="stays")),
    )


def pack(loader: Loader) -> None:
    """Pack the hour of the file."""
    pack_loaded_files(loader.settings, datetime(2026, 11, 22, 6, 30, tzinfo=UTC) + REST)
    assert not (loader.landing / KEY).exists()


def lose_what_is_known(loader: Loader) -> None:
    """Lose the file that says what is known of the store."""
    (loader.landing / "remote" / "known.sqlite").unlink()


@pytest.mark.usefixtures("receiver")
def test_one_that_was_put_and_not_noted(
    shared: Machines, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.exchange()
    loader.take()
    add = KnownObjects.add

    def fail(known: KnownObjects, objects: Objects) -> None:
        noted = list(objects)
        if KEY in [key for key, *_ in noted]:
            raise sqlite3.OperationalError("disk I/O error")
        add(known, noted)

    with monkeypatch.context() as failing:
        failing.setattr(KnownObjects, "add", fail)
        with pytest.raises(sqlite3.OperationalError):
            loader.exchange()
    assert shared.keys("loaded") == [KEY]

    pack(loader)
    loader.exchange()

    assert shared.keys("loaded") + shared.keys("waiting") == []
    assert len(shared.keys("archive")) == 1


@pytest.mark.usefixtures("receiver")
def test_one_that_was_known_in_a_file_that_is_lost(shared: Machines, loader: Loader) -> None:
    loader.whole_pass()
    lose_what_is_known(loader)
    pack(loader)

    loader.exchange()

    assert shared.keys("loaded") == []
    assert len(shared.keys("archive")) == 1


@pytest.mark.usefixtures("receiver")
def test_one_whose_archive_has_expired(shared: Machines, loader: Loader) -> None:
    loader.whole_pass()
    pack(loader)
    later = loader.settings.model_copy(update={"archive_days": 1})
    pack_loaded_files(later, datetime(2027, 1, 1, tzinfo=UTC))

    loader.exchange()

    noted = ["archive/track/20261122T05.expired.ndjson"]
    assert shared.keys("loaded") + shared.keys("archive/track") == noted


@pytest.mark.usefixtures("receiver")
def test_what_is_put_aside_is_erased_though_what_was_known_is_lost(
    shared: Machines, loader: Loader
) -> None:
    loader.whole_pass()
    again = shared.receiver()
    landed.land(again.landing, "track", *lines(2), name=NAME)
    again.ship()
    loader.whole_pass()
    (key,) = shared.keys("conflicts")
    assert GONE in str(shared.in_store(key))
    lose_what_is_known(loader)

    erase.forget(loader.settings, {Id(USER, GONE)})

    assert shared.keys("conflicts") == [key]
    assert GONE not in shared.text_in_store()


@pytest.mark.usefixtures("receiver")
def test_an_erased_person_is_in_none(shared: Machines, loader: Loader) -> None:
    loader.whole_pass()
    copy = Store(shared.address).read(KEY)
    pack(loader)
    loader.exchange()
    Store(shared.address).put(KEY, copy)  # as an earlier version may have left it

    erase.forget(loader.settings, {Id(USER, GONE)})

    assert shared.keys("loaded") == []
    assert GONE not in shared.text_in_store()


@pytest.mark.usefixtures("receiver")
def test_nor_comes_back_from_one_that_an_earlier_version_has_left(
    shared: Machines, loader: Loader
) -> None:
    loader.whole_pass()
    copy = Store(shared.address).read(KEY)
    pack(loader)
    erase.forget(loader.settings, {Id(USER, GONE)})
    Store(shared.address).put(KEY, copy)

    new = shared.loader()
    assert new.bring_all().damaged == []
    assert new.restored() == 1
    assert set(new.rows("select payload ->> '$.userId' from raw.track")) == {("stays",)}
    new.exchange()
    assert shared.keys("loaded") == []


@pytest.mark.usefixtures("receiver")
def test_what_is_in_no_archive_or_not_ours_stays(shared: Machines, loader: Loader) -> None:
    loader.whole_pass()
    others = [
        "conflicts/notes.txt",
        "loaded/notes.txt",
        "loaded/other/20261122T05-x.ndjson",
        "loaded/track/20261122T05-in-no-archive.ndjson",
        "loaded/track/deeper/20261122T05-x.ndjson",
    ]
    for key in others:
        Store(shared.address).put(key, b"\n")
    lose_what_is_known(loader)
    pack(loader)

    loader.exchange()

    assert shared.keys("conflicts") + shared.keys("loaded") == others
