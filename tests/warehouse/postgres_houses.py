"""A house with its catalog in PostgreSQL, and what the tests of it do with events of `track`."""

from orchestration.settings import Settings
from tests.support import landed
from tests.support.house import House
from tests.support.postgres import Server
from tests.support.warehouse import rows


def land(settings: Settings, *ids: str) -> None:
    landed.land(settings.landing, "track", *(landed.line({"messageId": one}) for one in ids))


def ids_in(settings: Settings) -> list[str]:
    return [one for (one,) in rows(settings, "select message_id from raw.track order by all")]


def waiting(settings: Settings) -> int:
    return len(list((settings.landing / "track").glob("*.ndjson")))


def with_password(house: House, server: Server) -> House:
    """The same house by the way that asks for a password."""
    return House(house.folder, warehouse=f"ducklake:postgres:{server.uri}",
                 catalog_schema=house.settings.catalog_schema,
                 warehouse_data=house.settings.data)  # fmt: skip
