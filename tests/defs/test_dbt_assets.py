"""The models as assets: what they say of their tables, also of those that a user has added."""

import json
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster_dbt import dbt_assets

from orchestration.defs import dbt_assets as definitions
from orchestration.defs.dbt_assets import MANIFEST, NOT_RUN, Translator, own_models, table_metadata
from orchestration.prepare import has_all_models
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock


def test_rows_are_counted_in_the_table_whatever_its_model_is_called(
    made_warehouse: Settings,
) -> None:
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute("create schema segment")
        con.execute('create table segment."shown as" as from range(3)')
    node = SimpleNamespace(
        name="model", schema="segment", relation_name='"seamline"."segment"."shown as"'
    )

    said = table_metadata(made_warehouse, SimpleNamespace(node=node, execution_time=1.234))

    assert said == {"seconds": 1.23, "dagster/row_count": 3}


def test_seeds_and_snapshots_are_no_assets_that_a_run_would_leave_as_they_are() -> None:
    """`dbt seed` and `dbt snapshot` make them; a run of the models does not."""
    manifest = json.loads(MANIFEST.read_bytes())
    track = manifest["nodes"]["model.seamline.track"]
    for kind in ("seed", "snapshot"):
        manifest["nodes"][f"{kind}.seamline.of_a_user"] = track | {
            "name": "of_a_user", "resource_type": kind, "unique_id": f"{kind}.seamline.of_a_user",
            "fqn": ["seamline", "of_a_user"],
        }  # fmt: skip

    @dbt_assets(manifest=manifest, exclude=NOT_RUN, dagster_dbt_translator=Translator())
    def assets():  # noqa: ANN202 - never run
        yield

    names = {key.path[-1] for key in assets.keys}
    assert "track" in names
    assert "of_a_user" not in names


def test_models_under_another_name_and_without_a_table_do_not_keep_all_from_being_there(
    made_warehouse: Settings, tmp_path: Path
) -> None:
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute("create schema segment")
        con.execute("create table segment.shown as from range(3)")
    node = {"resource_type": "model", "schema": "segment", "config": {"materialized": "table"}}
    node |= {"fqn": ["seamline", "segment", "model"]}
    named = node | {"name": "model", "alias": "shown"}
    without = node | {"name": "e", "alias": "e", "config": {"materialized": "ephemeral"}}
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"nodes": {"a": named, "b": without}}))

    assert has_all_models(made_warehouse, manifest)


def test_models_of_packages_and_of_users_are_not_in_the_load_job(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Wherever a package has them, and whatever a user calls a file of the first folder."""
    names = {
        "track": ["seamline", "segment", "track"],
        "stg_pkg": ["pkg", "staging", "stg_pkg"],
        "broken": ["seamline", "mine", "broken"],
        "staging": ["seamline", "staging"],
    }
    node = {"resource_type": "model", "schema": "segment"}
    nodes = {name: node | {"name": name, "fqn": fqn} for name, fqn in names.items()}
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"nodes": nodes}))
    keys = {dg.AssetKey(["segment", name]) for name in names}
    monkeypatch.setattr(definitions, "MANIFEST", manifest)
    monkeypatch.setattr(definitions, "models", SimpleNamespace(keys=keys))

    assert own_models.__wrapped__() == {dg.AssetKey(["segment", "track"])}


def test_models_of_a_package_are_a_group_of_their_own() -> None:
    manifest = json.loads(MANIFEST.read_bytes())
    track = manifest["nodes"]["model.seamline.track"]
    of_package = track | {"fqn": ["pkg", "staging", "stg"], "unique_id": "model.pkg.stg"}
    manifest["nodes"]["model.pkg.stg"] = of_package

    spec = Translator().get_asset_spec(manifest, "model.pkg.stg", None)

    assert spec.group_name == "pkg"
