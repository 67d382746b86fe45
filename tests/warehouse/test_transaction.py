"""What a power cut may take is not listed yet: new files are on the disk before the commit."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import duckdb
import pytest

from orchestration.durable_files import NewFiles
from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.upkeep.keep_small import keep_small
from orchestration.warehouse import transaction as transactions
from orchestration.warehouse.transaction import transaction
from tests.support import landed
from tests.support.warehouse import unsynced


@pytest.mark.parametrize("is_synced", [True, False])
def test_a_transaction_syncs_then_commits_and_commits_nothing_that_is_not_synced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_synced: bool
) -> None:
    done: list[str] = []

    def sync(_: object) -> None:
        done.append("sync")
        if not is_synced:
            raise OSError

    con = SimpleNamespace(execute=done.append, rollback=lambda: done.append("rollback"))
    monkeypatch.setattr(transactions, "data_address", lambda _: str(tmp_path))
    monkeypatch.setattr(NewFiles, "sync", sync)

    try:
        with transaction(cast("duckdb.DuckDBPyConnection", con)):
            done.append("work")
    except OSError:
        assert not is_synced

    assert done == ["begin", "work", "sync", "commit" if is_synced else "rollback"]


def test_every_new_file_of_loads_and_of_upkeep_is_synced_with_its_folder(
    settings: Settings, synced: set[Path]
) -> None:
    for number in range(2):
        landed.land(settings.landing, "track", landed.line({}, message_id=f"{number}"))
        load(settings)
        assert unsynced(settings, synced) == set()

    keep_small(settings.model_copy(update={"query_hours": 1e-9}), timedelta(days=10_000))

    assert unsynced(settings, synced) == set()
