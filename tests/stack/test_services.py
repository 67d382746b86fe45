"""What `make run` starts follows from the settings."""

import pytest

from stack.settings import Settings
from stack.up import services


@pytest.mark.usefixtures("settings")
def test_an_object_store_is_exchanged_with_if_there_is_one() -> None:
    plain = {"receiver", "dagster-webserver", "dagster-daemon"}

    assert services(Settings()).keys() == plain
    assert services(Settings(landing_remote="s3://bucket")).keys() == plain | {"fetch"}
