"""Fixtures every room's tests share."""

import signal
from pathlib import Path

import hypothesis
import pytest

from orchestration.loading import warehouse
from orchestration.settings import Settings

pytest_plugins = ["made_house"]

# An example may take as long as it does: other work may be busy beside.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

# With every connection DuckDB hashes its extensions to check their signature: half a second of
# processor. The processes that tests start check it, as ever.
warehouse.CONFIG["allow_unsigned_extensions"] = True

# Tests stop what they started as ctrl-c does. A shell that starts this in the background has the
# signal ignored, and every process would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST_FIRST = (
    "test_whole_road.py",
    "test_verify.py",
    "test_load_fault_dagster.py",
    "test_whole_road_kills.py",
    "test_runbooks.py",
    "test_forget_rebuild.py",
    "test_forget_kills.py",
    "test_upkeep_time_travel.py",
    "test_load_fault_dbt_kills.py",
    "test_dbt_first_copy_wins.py",
    "test_restore.py",
    "test_forget_everywhere.py",
    "test_receiver_fault_clients.py",
    "test_bad_input_loading.py",
    "test_receiver_fault_io_errors.py",
    "test_upkeep_readers.py",
    "test_upkeep_parquet_files.py",
    "test_dbt_new_fields.py",
    "test_by_hand.py",
    "test_upkeep_snapshots.py",
    "test_dbt_columns.py",
    "test_stack_supervisor.py",
    "test_columns_yml.py",
    "test_reload_rejected.py",
    "test_schema_name.py",
)
"""Files that take minutes: one that begins last is what everybody waits for."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    items.sort(
        key=lambda item: (
            LONGEST_FIRST.index(item.path.name)
            if item.path.name in LONGEST_FIRST
            else len(LONGEST_FIRST)
        )
    )


pytest.register_assert_rewrite("attack")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an empty house in a folder of the test's own, in the environment too."""
    for name, value in {
        "SEAMLINE_LANDING": tmp_path / "landing",
        "SEAMLINE_WAREHOUSE": f"ducklake:sqlite:{tmp_path}/warehouse/catalog.sqlite",
        "SEAMLINE_SOURCES": tmp_path / "sources.toml",
        "SEAMLINE_COLUMNS": tmp_path / "columns.yml",
        "DAGSTER_HOME": tmp_path / "dagster",
    }.items():
        monkeypatch.setenv(name, str(value))
    return Settings()
