"""What Dagster's graph says of each asset, from who sends to a user's own models."""

from pathlib import Path

import dagster as dg
import pytest

from landed.settings import ROOT
from orchestration.definitions import defs
from orchestration.defs.asset_details import code_at, valid_owners
from orchestration.defs.dbt_assets import Translator, manifest
from orchestration.defs.landing_assets import LANDING, SOURCES
from orchestration.settings import Settings

GRAPH = defs.resolve_asset_graph()
NODES = {key.to_user_string(): GRAPH.get(key) for key in GRAPH.get_all_asset_keys()}
TABLES = {
    name: node
    for name, node in NODES.items()
    if node.group_name in {"raw", "columns", "staging", "segment", "warehouse", "marts"}
}


def test_the_whole_road_is_one_graph() -> None:
    """Each table comes from who sends, over the landing zone, and each group has its step of it."""
    for name, node in TABLES.items():
        above = GRAPH.get_ancestor_asset_keys(node.key)
        assert {SOURCES, LANDING} <= above, name

    groups = {node.group_name for node in NODES.values()}
    assert groups == {"landing", "upkeep", *(node.group_name for node in TABLES.values())}


@pytest.mark.parametrize("name", sorted(NODES))
def test_each_asset_says_what_it_is_and_whose(name: str) -> None:
    node = NODES[name]

    assert (node.description or "").strip()
    assert node.owners
    assert node.kinds


@pytest.mark.parametrize("name", sorted(TABLES))
def test_each_table_says_its_name_and_whether_it_is_a_view(name: str) -> None:
    node = TABLES[name]

    assert node.metadata["dagster/table_name"] == f"seamline.{name.replace('/', '.')}"
    assert len({"view", "table"} & node.kinds) == 1
    assert "duckdb" in node.kinds


def test_views_are_shown_as_views() -> None:
    assert "view" in NODES["segment_staging/stg_segment__track"].kinds
    assert "view" in NODES["segment_warehouse/tracks"].kinds
    assert "table" in NODES["segment/track"].kinds
    assert "table" in NODES["raw/track"].kinds


def test_raw_tables_have_typed_and_described_columns() -> None:
    schema = NODES["raw/track"].metadata["dagster/column_schema"]
    columns = {column.name: column for column in schema.columns}

    assert columns["received_at"].type == "timestamp"
    assert columns["payload"].description == "The event as it came."
    assert all(column.description for column in columns.values())


def test_what_is_made_has_a_link_to_its_code() -> None:
    for name, node in NODES.items():
        if node.is_executable:
            (reference,) = node.metadata["dagster/code_references"].code_references
            assert Path(reference.file_path).is_file(), name
            assert Path(reference.file_path).is_relative_to(ROOT), name


def test_the_link_leads_to_a_repository_if_the_settings_name_one() -> None:
    settings = Settings(code_url="https://git.example/seamline/blob/main/")

    (reference,) = code_at(ROOT / "orchestration/prepare.py", settings, 7).code_references

    assert isinstance(reference, dg.UrlCodeReference)
    assert reference.url == ("https://git.example/seamline/blob/main/orchestration/prepare.py#L7")


def test_a_model_has_the_owners_that_it_names_and_none_that_dagster_would_refuse() -> None:
    """One that it refused would take all definitions with it, the load's too."""
    read = manifest()
    track = read["nodes"]["model.seamline.track"]
    said = {"dagster": {"owners": ["ann@example.com", "whoever", 7]}}
    read = read | {"nodes": read["nodes"] | {"model.seamline.track": track | {"meta": said}}}

    spec = Translator().get_asset_spec(read, "model.seamline.track", None)

    assert list(spec.owners) == ["ann@example.com"]
    assert valid_owners(["team:", "team:growth"]) == ["team:growth"]


def test_only_what_is_done_by_the_clock_can_be_late() -> None:
    """A quiet source is no alarm: its tables are as fresh as what it sends."""
    late = {name for name, node in NODES.items() if node.freshness_policy}

    assert late == {"landing"} | {
        name for name, node in NODES.items() if node.group_name == "upkeep"
    }
