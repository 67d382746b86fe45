"""Fixtures every room's tests share."""

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

LONGEST_FIRST = (
    "test_load_fault_dagster.py",
    "test_whole_road.py",
    "test_whole_road_kills.py",
    "test_dbt_new_fields.py",
    "test_dbt_first_copy_wins.py",
    "test_columns_yml.py",
    "test_bad_input_loading.py",
    "test_reload_rejected.py",
    "test_by_hand.py",
    "test_dbt_columns.py",
    "test_dbt_real_events.py",
    "test_schema_name.py",
    "test_load_fault_dbt_kills.py",
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
