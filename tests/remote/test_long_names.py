"""An object whose name is longer than a file's may be keeps no other from coming."""

import pytest

from landed.files import LONGEST_NAME
from landed.object_store import Store
from tests.remote.machines import Loader, Machines, Receiver

MOST_BYTES = 255
"""So long a name may be on the usual file systems."""


@pytest.fixture
def machines(shared: Machines) -> Machines:
    """Those that share the bucket in this process."""
    return shared


@pytest.mark.parametrize("length", [LONGEST_NAME + 1, MOST_BYTES, MOST_BYTES + 1, 900])
def test_one_that_waits_is_left_like_any_that_is_no_landed_file(
    shared: Machines,
    receiver: Receiver,
    loader: Loader,
    caplog: pytest.LogCaptureFixture,
    length: int,
) -> None:
    name = "20260101T000000-".ljust(length - len(".ndjson"), "a") + ".ndjson"
    Store(shared.address).put(f"waiting/alias/{name}", b"x")
    receiver.land(1)
    receiver.ship()

    loader.whole_pass()

    assert loader.messages() == shared.once(range(1, 2))
    assert shared.keys("waiting") == [f"waiting/alias/{name}"]
    assert "is called like no landed file" in caplog.text


def test_the_longest_that_comes_has_room_for_what_is_put_behind_it(
    shared: Machines, receiver: Receiver, loader: Loader
) -> None:
    name = "20260101T000000-".ljust(LONGEST_NAME - len(".ndjson"), "a") + ".ndjson"
    for number in range(3):  # the second and third are put aside
        path = receiver.land(number)
        path.rename(path.with_name(name))
        receiver.ship()
        loader.whole_pass()

    assert loader.messages() == shared.once(range(1))
    assert shared.keys("waiting") == []
    other = shared.loader()
    assert other.bring_all().damaged == []


def test_of_counts_and_of_all_that_a_new_machine_brings(
    shared: Machines, receiver: Receiver, loader: Loader
) -> None:
    receiver.land(1)
    receiver.ship()
    keys = [f"not_stored/{web}/2026-11-28.json" for web in ("a" * 245, "a" * 900, "web-1")]
    for key in keys:
        Store(shared.address).put(key, b"{}")

    loader.whole_pass()
    loader.exchange()

    assert [path.parent.name for path in loader.landing.glob("not_stored/*/*")] == ["web-1"]
    other = shared.loader()
    assert other.bring_all().damaged == []
    assert other.restored() == 1
