"""dbt builds models whole, with one thread: DuckLake does not try again if another commits."""

import pytest

from tests.support.house import House


@pytest.mark.parametrize("command", ["run", pytest.param("build", marks=pytest.mark.long)])
def test_models_are_not_built_by_more_threads_than_one(built_house: House, command: str) -> None:
    before = built_house.snapshots()

    with pytest.raises(AssertionError, match="with one thread, not 4: leave --threads away"):
        built_house.dbt(command, "--threads", "4")

    assert built_house.snapshots() == before
    built_house.dbt(command, "--threads", "1", "--select", "alias")


@pytest.mark.parametrize("option", [("--empty",), ("--sample", "1 day")])
def test_models_are_not_built_without_their_rows(
    built_house: House, option: tuple[str, ...]
) -> None:
    before = built_house.snapshots()

    with pytest.raises(AssertionError, match=f"{option[0]} would leave the views"):
        built_house.dbt("run", "--select", "stg_segment__alias", *option)

    assert built_house.snapshots() == before


def test_what_only_reads_may_have_more(built_house: House) -> None:
    built_house.dbt("test", "--threads", "2", "--select", "alias")
