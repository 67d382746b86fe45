"""What workspace.yaml names is what Dagster loads."""

from dagster._core.workspace.autodiscovery import loadable_targets_from_loaded_module

from orchestration import definitions


def test_dagster_finds_one_set_of_definitions_in_the_module() -> None:
    found = loadable_targets_from_loaded_module(definitions)

    assert [target.attribute for target in found] == ["defs"]
