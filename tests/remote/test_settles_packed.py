"""After an outage of the store files are settled that were packed meanwhile."""

import tarfile
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestration.remote import settle
from orchestration.remote.exchange import exchange
from orchestration.upkeep.archives import REST, pack_loaded_files
from tests.remote.machines import Machines, event
from tests.support import landed

FILES = 50


@pytest.mark.parametrize("together", [7, settle.TOGETHER])
def test_their_archive_is_read_and_put_once(
    shared: Machines, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(settle, "TOGETHER", together)
    loader, receiver = shared.loader(), shared.receiver()
    for number in range(FILES):
        name = f"20261122T0524460000{number:02d}Z-a.ndjson"
        landed.land(receiver.landing, "track", landed.line(event(number)), name=name)
    receiver.ship()
    loader.exchange()
    loader.take()
    pack_loaded_files(loader.settings, datetime(2026, 11, 22, 6, 30, tzinfo=UTC) + REST)
    read: list[str] = []
    open_archive = tarfile.open

    def note(*arguments: Any, mode: str, **more: Any) -> Any:
        read.append(mode)
        return open_archive(*arguments, mode=mode, **more)

    with monkeypatch.context() as noted, exchange(loader.settings) as ex:
        noted.setattr(tarfile, "open", note)
        assert ex is not None
        assert settle.settle(ex) == FILES

    assert read == ["r|"]
    assert [path for what, path in shared.bucket.asked if what == "put" and "archive" in path] == [
        "in/archive/track/20261122T05.tar.zst"
    ]
    assert shared.keys("waiting") == []
    loader.whole_pass()
    assert loader.messages() == shared.once(range(FILES))
