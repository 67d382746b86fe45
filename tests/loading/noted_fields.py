"""Events whose fields a load notes, and what it has noted."""

from typing import Any

from orchestration.settings import Settings
from tests.support import landed
from tests.support.warehouse import reading


def land(settings: Settings, *events: Any, call: str = "track", source: str = "web") -> None:
    lines = [landed.line(event, message_id="m", source=source) for event in events]
    landed.land(settings.landing, call, *lines)


def seen(settings: Settings, where: str = "true") -> list[tuple[Any, ...]]:
    with reading(settings) as con:
        return con.execute(
            f"select path, type, sum(count) from raw.field where {where} "
            "and path <> '' group by all order by path, type"
        ).fetchall()
