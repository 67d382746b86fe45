"""A replica that fails is red, though the store is asked all the time."""

from datetime import UTC, datetime, timedelta

import pytest

from landed.object_store import StoreError
from orchestration.audit import checks
from orchestration.remote import known
from orchestration.remote.known import KnownObjects
from orchestration.warehouse.connection import connect
from tests.remote.machines import Machines


def test_what_is_not_kept_for_long_is_a_problem(
    shared: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = shared.loader()
    receiver = shared.receiver()
    receiver.land(0)
    receiver.ship()
    loader.whole_pass()

    def refuse(path: str) -> None:
        if "/loads/" in path:
            raise OSError("403 Forbidden")

    shared.bucket.before_put = refuse
    receiver.land(1)
    receiver.ship()
    loader.exchange()
    loader.take()
    with pytest.raises(StoreError):
        loader.exchange()

    later = datetime.now(UTC) + timedelta(hours=1)
    with connect(loader.settings, read_only=True) as con:
        now = checks.look_at(con, loader.settings, datetime.now(UTC))
        assert checks.store_is_asked(now).problems == []
    monkeypatch.setattr(known.time, "time", later.timestamp)
    KnownObjects(loader.landing).note_look(0, None)
    with connect(loader.settings, read_only=True) as con:
        (problem,) = checks.store_is_asked(checks.look_at(con, loader.settings, later)).problems
    assert "nothing of it is lost" in problem
