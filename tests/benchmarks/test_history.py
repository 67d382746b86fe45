from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.history import COPIES, Old, old_events
from benchmarks.history_rows import ROUND, message_id, payloads, write_history
from benchmarks.landed_events import SHARES, land
from orchestration.audit import completeness
from orchestration.loading import journal
from orchestration.one_pass import load_once
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock


@pytest.fixture(scope="module")
def with_history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("history")
    settings = Settings(
        landing=folder / "landing",
        warehouse=f"ducklake:sqlite:{folder}/w/catalog.sqlite",
        dagster_home=folder / "dagster",
    )
    settings.landing.mkdir()
    land(settings.landing, 1_000)
    load_once(settings)
    write_history(settings, 0, 1)
    write_history(settings, 1, 2)
    yield settings
