"""What `make run` starts follows from the settings."""

from pathlib import Path

import pytest

from stack.settings import Settings
from stack.up import services


@pytest.mark.usefixtures("settings")
def test_an_object_store_is_exchanged_with_if_there_is_one() -> None:
    plain = {"receiver", "dagster-webserver", "dagster-daemon"}

    there = Path("workspace.yaml")

    assert services(Settings(), there).keys() == plain
    assert services(Settings(landing_remote="s3://bucket"), there).keys() == plain | {"fetch"}
