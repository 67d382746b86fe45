"""dbt builds with one thread: DuckLake does not try again when another one commits."""

import pytest

from tests.support.lake import Lake


@pytest.mark.parametrize("command", ["run", pytest.param("build", marks=pytest.mark.long)])
def test_models_are_not_built_by_more_threads_than_one(built_lake: Lake, command: str) -> None:
    before = built_lake.snapshots()

    with pytest.raises(AssertionError, match="with one thread, not 4: leave --threads away"):
        built_lake.dbt(command, "--threads", "4")

    assert built_lake.snapshots() == before
    built_lake.dbt(command, "--threads", "1", "--select", "alias")


def test_what_only_reads_may_have_more(built_lake: Lake) -> None:
    built_lake.dbt("test", "--threads", "2", "--select", "alias")
