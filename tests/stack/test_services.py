"""What `make run` starts follows from the settings."""

from pathlib import Path
from typing import Self

import pytest

from stack import up
from stack.settings import Settings
from stack.up import services


@pytest.mark.usefixtures("settings")
def test_an_object_store_is_exchanged_with_if_there_is_one() -> None:
    plain = {"receiver", "dagster-webserver", "dagster-daemon"}

    there = Path("workspace.yaml")

    assert services(Settings(), there).keys() == plain
    assert services(Settings(landing_remote="s3://bucket"), there).keys() == plain | {"fetch"}


class Recorded:
    """Starts nothing, and remembers what it was to start."""

    names: list[str]

    def __init__(self, *_: object, **_more: object) -> None:
        """Begin with nothing."""
        type(self).names = []

    def __enter__(self) -> Self:
        """Be there."""
        return self

    def __exit__(self, *_: object) -> None:
        """Go."""

    def start(self, name: str, *_: str) -> None:
        """Remember a name."""
        self.names.append(name)

    run = start


@pytest.mark.parametrize("is_made", [True, False])
def test_code_is_loaded_beside_the_preparation_once_dagsters_databases_are_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, *, is_made: bool
) -> None:
    """Two that make them at the same time leave some that no Dagster can open."""
    monkeypatch.setattr(up, "Supervisor", Recorded)
    monkeypatch.setattr(up.dagster_database, "is_made", lambda _: is_made)
    for begins in ("check", "check_ports"):
        monkeypatch.setattr(up, begins, lambda _: None)
    settings.dagster_home.mkdir(parents=True, exist_ok=True)

    with up.stack_up(Settings(), lambda _name, _line: None):
        assert Recorded.names[:2] == (
            ["dagster-code", "prepare"] if is_made else ["prepare", "dagster-code"]
        )
