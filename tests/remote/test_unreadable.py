"""A file that cannot be read here keeps nothing else away."""

import pytest

from landed.errors import ReportedError
from landed.object_store import Store
from orchestration.one_pass import load_once
from orchestration.remote import settle
from orchestration.remote.process import bring_all_that_waits
from tests.remote.machines import Loader, Machines


@pytest.fixture
def loader(shared: Machines, monkeypatch: pytest.MonkeyPatch) -> Loader:
    """A loader with a loaded file that its disk does not give, and an event that waits."""
    monkeypatch.setattr("orchestration.one_pass.are_up_to_date", lambda _: True)
    made = shared.loader()
    receiver = shared.receiver()
    bad = receiver.land(0).name
    receiver.ship()
    made.exchange()
    made.take()
    keep = settle.keep

    def fail(ex: settle.Exchange, key: str, path: settle.Path) -> bool:
        if path.name == bad:
            raise OSError(5, "Input/output error", str(path))
        return keep(ex, key, path)

    for module in ("settle", "replica"):
        monkeypatch.setattr(f"orchestration.remote.{module}.keep", fail)
    receiver.land(1)
    receiver.ship()
    return made


def test_what_waits_is_fetched_and_counts_come_all_the_same(
    shared: Machines, loader: Loader
) -> None:
    Store(shared.address).put("not_stored/web-1/2026-11-28.json", b"{}")

    with pytest.raises(OSError, match="Input/output"):
        loader.exchange()

    assert (loader.landing / "not_stored" / "web-1" / "2026-11-28.json").exists()
    assert loader.take().files == 1


def test_an_erasure_fetches_what_waits_all_the_same(loader: Loader) -> None:
    bring_all_that_waits(loader.settings)

    assert loader.take().files == 1


def test_a_pass_by_hand_loads_all_the_same_and_says_it(shared: Machines, loader: Loader) -> None:
    with pytest.raises(ReportedError, match=r"Loaded 1 files: 1 track\. But .*Input/output"):
        load_once(loader.settings)

    assert loader.messages() == shared.once(range(2))
