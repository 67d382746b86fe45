"""The loader's machine is lost: another one has everything again, from the store alone."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from landed import not_stored
from landed.object_store import Store
from orchestration.one_pass import load_once
from orchestration.remote.exchange import AnothersStoreError
from orchestration.remote.process import finish
from orchestration.upkeep.archives import REST, pack_loaded_files
from receiver.shipping.ship import Counts
from tests.remote.machines import Loader, Machines, Receiver, event
from tests.support import landed

pytestmark = pytest.mark.scale

ROWS = "select file, line, load_id, message_id, hash(t) from raw.track as t order by all"


def fill(receiver: Receiver, loader: Loader) -> None:
    """Have a packed file, a loaded one, one of the loader's own receiver, and one that waits."""
    packed = "20261122T052446000000Z-a.ndjson"
    landed.land(receiver.landing, "track", landed.line(event(0)), name=packed)
    receiver.ship()
    loader.whole_pass()
    pack_loaded_files(loader.settings, datetime(2026, 11, 22, 6, 30, tzinfo=UTC) + REST)
    for number, where in ((1, receiver.landing), (2, loader.landing)):
        name = f"20261128T05244600000{number}Z-b.ndjson"
        landed.land(where, "track", landed.line(event(number)), name=name)
        receiver.ship()
        loader.whole_pass()
    landed.land(receiver.landing, "track", landed.line(event(3)), name="20261128T06-c.ndjson")
    receiver.ship()


def test_another_machine_has_the_same_rows(
    machines: Machines, receiver: Receiver, loader: Loader
) -> None:
    fill(receiver, loader)
    rows = loader.rows(ROWS)
    assert machines.keys("loaded/track") == [
        f"loaded/track/20261128T05244600000{number}Z-b.ndjson" for number in (1, 2)
    ]
    shutil.rmtree(loader.folder)

    new = machines.loader()
    with pytest.raises(AnothersStoreError):
        new.exchange()
    brought = new.bring_all()

    assert (brought.waiting, brought.damaged) == (0, [])
    assert new.restored() == 3
    assert new.rows(ROWS) == rows
    assert new.whole_pass().files == 1
    assert new.messages() == machines.once(range(4))
    assert new.problems() == []
    assert machines.keys("waiting") == []


def test_what_was_kept_before_its_journal_came_is_loaded_again(
    machines: Machines, receiver: Receiver, loader: Loader
) -> None:
    fill(receiver, loader)
    (journal,) = machines.keys("loads")
    machines.bucket.delete(f"{machines.address.partition(machines.bucket.name)[2][1:]}/{journal}")

    new = machines.loader()
    brought = new.bring_all()

    assert brought.waiting == 2
    new.whole_pass()
    assert new.messages() == machines.once(range(1, 4))  # archives come after their journal
    assert machines.keys("waiting") == []


def test_the_old_loader_is_refused_once_another_has_taken_over(
    machines: Machines, receiver: Receiver, loader: Loader
) -> None:
    fill(receiver, loader)
    machines.loader().bring_all()

    with pytest.raises(AnothersStoreError):
        loader.exchange()


def test_a_damaged_object_is_named_and_all_others_come(
    machines: Machines, receiver: Receiver, loader: Loader
) -> None:
    fill(receiver, loader)
    prefix = machines.address.partition(machines.bucket.name)[2][1:]
    damaged = machines.keys("loaded/track")[0]
    machines.bucket.put(f"{prefix}/{damaged}", b"x", Metadata={"sha256": "0" * 64})

    new = machines.loader()
    brought = new.bring_all()

    assert [one for one in brought.damaged if damaged in one] == brought.damaged != []
    new.restored()
    assert new.messages() == machines.once(range(3)) - machines.once(range(1, 2))


def test_what_receivers_have_not_stored_is_counted_once_from_all_of_them(
    machines: Machines, loader: Loader
) -> None:
    now = datetime.now(UTC)
    counts = []
    for number in (1, 2):
        receiver = machines.receiver()
        not_stored.add(receiver.landing, now, {"web": {"shut_out": number}})
        counts.append((receiver, Counts(receiver.landing, Store(machines.address))))
    for _, of_one in counts:
        of_one.ship()
    loader.exchange()
    not_stored.add(loader.landing, now, {"web": {"shut_out": 4}})
    not_stored.add(counts[0][0].landing, now, {"web": {"shut_out": 8}})
    counts[0][1].ship()
    loader.exchange()

    assert not_stored.read(loader.landing, now - timedelta(hours=1), 2) == {"web": {"shut_out": 15}}
    total = sum(one["web"]["shut_out"] for one in not_stored.by_hour(loader.landing).values())
    assert total == 15


def test_a_pass_by_hand_fetches_loads_and_keeps(
    machines: Machines, receiver: Receiver, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.one_pass.are_up_to_date", lambda _: True)
    receiver.land(0)
    receiver.ship()

    assert load_once(loader.settings) == "Loaded 1 files: 1 track"
    assert len(machines.keys("loaded")) == 1
    finish(loader.settings)
