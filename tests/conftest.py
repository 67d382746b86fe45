"""Fixtures every room's tests share."""

from pathlib import Path

import pytest

from orchestration.settings import Settings

pytest_plugins: list[str] = []
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
