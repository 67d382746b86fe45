"""An object store on loopback, and a house with a database."""

from pathlib import Path

import pytest

from tests.export.database import Database
from tests.export.support import event
from tests.support import landed
from tests.support.house import House, once
from tests.support.object_store import bucket, object_store
from tests.support.postgres import Server

__all__ = ["bucket", "object_store"]


GONE = landed.line(
    {"event": "E", "userId": "gone-55aa"},
    message_id="x",
    received_at="2026-11-20T10:00:00.000000Z",
)
NUMBERS = landed.line(
    '{"messageId": "c", "type": "track", "event": "E", "x": [1.50, 1E2]}',
    received_at="2026-11-21T10:00:00.000000Z",
)


@pytest.fixture(scope="module")
def filled_house(tmp_path_factory: pytest.TempPathFactory, prepared_house: Path) -> Path:
    """A house with four messages of two days in its table: `a` came on both, `x` is of a person."""

    def make(house: House) -> None:
        house.move_in(prepared_house)
        days = event("a", 20, price=1), event("b", 20, cart=[1, {}]), event("a", 21, price=1)
        house.land("track", *days, GONE, NUMBERS)
        house.load()
        house.models("track")

    return once(tmp_path_factory, "filled-for-exports", make)


@pytest.fixture
def database(own_house: House, prepared_house: Path, postgres: Server) -> Database:
    """One of a house whose models are made, and that is empty."""
    return Database(own_house.move_in(prepared_house), postgres, "exports")
