"""The models as assets: what they say of their tables, also of those that a user has added."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from orchestration.columns.rules import ColumnRules
from orchestration.columns.update import create_column_tables, update_placement
from orchestration.defs.dbt_assets import (
    MANIFEST,
    NOT_RUN,
    OWN,
    Translator,
    models,
    table_metadata,
)
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
    names = {"schema": "segment", "alias": "shown as"}
    node = SimpleNamespace(
        **names,
        relation_name='"seamline"."segment"."shown as"',
        to_dict=lambda: names,
        fqn=["seamline", "segment", "shown as"],
        compiled_code=None,
    )

    with dg.instance_for_test() as instance:
        said = table_metadata(instance, made_warehouse, [SimpleNamespace(node=node)])

    schema = dg.TableSchema([dg.TableColumn("range", "bigint")])
    assert said == {
        dg.AssetKey(["segment", "shown as"]): {
            "dagster/row_count": 3,
            "columns": 1,
            "dagster/column_schema": schema,
        }
    }


def test_seeds_and_snapshots_are_no_assets_that_a_run_would_leave_as_they_are() -> None:
    """`dbt seed` and `dbt snapshot` make them; a run of the models does not."""
    manifest = json.loads(MANIFEST.read_bytes())
    track = manifest["nodes"]["model.seamline.track"]
    for kind in ("seed", "snapshot"):
        manifest["nodes"][f"{kind}.seamline.of_a_user"] = track | {
            "name": "of_a_user", "resource_type": kind, "unique_id": f"{kind}.seamline.of_a_user",
            "fqn": ["seamline", "of_a_user"],
        }  # fmt: skip

    names = keys_of(manifest, exclude=NOT_RUN)
    assert "segment/track" in names
    assert "segment/of_a_user" not in names


def test_models_under_another_name_and_without_a_table_do_not_keep_all_from_being_there(
    made_warehouse: Settings, tmp_path: Path
) -> None:
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute("create schema segment")
        con.execute("create table segment.shown as from range(3)")
        create_column_tables(con)
        update_placement(con, "segment", ColumnRules())
    node = {"resource_type": "model", "schema": "segment", "config": {"materialized": "table"}}
    node |= {"fqn": ["seamline", "segment", "model"]}
    named = node | {"name": "model", "alias": "shown"}
    without = node | {"name": "e", "alias": "e", "config": {"materialized": "ephemeral"}}
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"nodes": {"a": named, "b": without}}))

    assert has_all_models(made_warehouse, manifest)


def keys_of(manifest: dict[str, Any], *, select: str = "fqn:*", exclude: str) -> set[str]:
    @dbt_assets(
        manifest=manifest, select=select, exclude=exclude, dagster_dbt_translator=Translator()
    )
    def assets():  # noqa: ANN202 - never run
        yield

    return {key.to_user_string() for key in assets.keys}


def with_models(**fqns: list[str]) -> dict[str, Any]:
    """The manifest with models that a user or a package has added, of such names in dbt."""
    manifest: dict[str, Any] = json.loads(MANIFEST.read_bytes())
    track = manifest["nodes"]["model.seamline.track"]
    for alias, fqn in fqns.items():
        unique_id = f"model.{fqn[0]}.{alias}"
        manifest["nodes"][unique_id] = track | {
            "unique_id": unique_id, "fqn": fqn, "package_name": fqn[0], "name": fqn[-1],
            "alias": alias,
        }  # fmt: skip
    return manifest


def test_a_load_runs_our_models_and_the_marts_are_all_others() -> None:
    """Wherever a package has them, and whatever a user calls a file of the first folder."""
    others = {
        "track_of_pkg": ["pkg", "segment", "track"],
        "mine": ["seamline", "marts", "mine"],
        "staging": ["seamline", "staging"],
        "mine_v1": ["seamline", "marts", "mine", "v1"],
        "mine_v2": ["seamline", "marts", "mine", "v2"],
        "churn": ["seamline", "delivery", "churn"],
        "imports": ["seamline", "marts", "loads", "imports"],
        "sums": ["completeness", "sums"],
    }
    manifest = with_models(**others)

    ours = keys_of(manifest, select=OWN, exclude=NOT_RUN)
    users = keys_of(manifest, select="resource_type:model", exclude=f"{OWN} {NOT_RUN}")

    assert ours == {key.to_user_string() for key in models.keys}
    assert "segment/track" in ours
    assert users >= {f"segment/{alias}" for alias in others}
    assert not users & ours


def test_a_folder_may_be_called_what_no_group_may_be() -> None:
    """One that Dagster refused would take all definitions with it, the load's too."""
    manifest = with_models(mine=["seamline", "my-models", "mine"])

    spec = Translator().get_asset_spec(manifest, "model.seamline.mine", None)

    assert spec.group_name == "my_models"


def test_models_of_a_package_are_a_group_of_their_own() -> None:
    manifest = with_models(stg=["pkg", "staging", "stg"])

    spec = Translator().get_asset_spec(manifest, "model.pkg.stg", None)

    assert spec.group_name == "pkg"
    (reference,) = spec.metadata["dagster/code_references"].code_references
    # `track`'s own place, in the package
    assert str(reference.file_path).endswith("/dbt_packages/pkg/models/segment/track.sql")
