"""An object store on loopback, and a house with a database."""

from pathlib import Path

import pytest

from tests.export.database import Database
from tests.support.house import House
from tests.support.object_store import bucket, object_store
from tests.support.postgres import Server

__all__ = ["bucket", "object_store"]


@pytest.fixture
def database(own_house: House, prepared_house: Path, postgres: Server) -> Database:
    """One of a house whose models are made, and that is empty."""
    return Database(own_house.move_in(prepared_house), postgres, "exports")
