"""What has to be there before Dagster starts: the warehouse, the manifest, Dagster's folder."""

import json
import os
from pathlib import Path

from landed.settings import ROOT
from orchestration import dagster_database, modes
from orchestration.columns.update import is_placed_by_this_version
from orchestration.loading.load import is_behind
from orchestration.models.manifest import write_manifest
from orchestration.models.own_models import is_own
from orchestration.models.schema_name import refuse_another_name
from orchestration.settings import Settings
from orchestration.warehouse.catalog import tables, views, views_with_database
from orchestration.warehouse.connection import connect, create_warehouse


def prepare(settings: Settings) -> None:
    """Make what is missing; change nothing that is there.

    The first time, and after an update that brings models, this builds the final tables too, so
    that whoever connects before the first event finds them.
    """
    modes.narrow(settings)
    prepare_dagster_home(settings)
    create_warehouse(settings)
    with connect(settings, read_only=True) as con:
        refuse_another_name(con, settings)
        is_lost = is_behind(con, settings.landing)
    manifest = write_manifest(settings)
    # what is lost the first run loads again; the receiver does not wait
    if not is_lost and not has_all_models(settings, manifest):
        from orchestration.models.run import run_all_models  # noqa: PLC0415 - brings dbt: seconds

        run_all_models(settings)


def prepare_dagster_home(settings: Settings) -> None:
    """Make DAGSTER_HOME, with a dagster.yaml in it, and Dagster's databases.

    Raises:
        DagsterAwayError: its PostgreSQL cannot be reached, or refuses.
    """
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    _configure(settings)
    if settings.dagster_storage is not None:
        os.environ[dagster_database.SETTING] = settings.dagster_storage  # dagster.yaml names it
    if not dagster_database.is_made(settings):
        from dagster import DagsterInstance  # noqa: PLC0415 - takes seconds, needed once

        # Webserver and daemon would both create Dagster's databases; at the same time, that
        # leaves some that no Dagster can open ("more than one head").
        DagsterInstance.from_config(str(settings.dagster_home)).dispose()


_MADE = "# Made by `seamline prepare`, each time anew; without this line it stays as it is."
_ON_POSTGRES = f"""
# Its address, with the password, is in the environment alone.
storage:
  postgres:
    postgres_url:
      env: {dagster_database.SETTING}
"""


def _configure(settings: Settings) -> None:
    """Link the repository's dagster.yaml, or write it with Dagster's storage in PostgreSQL.

    A file of a user's own stays.
    """
    config, ours = settings.dagster_home / "dagster.yaml", ROOT / "dagster.yaml"
    is_made = config.is_symlink() or (config.exists() and config.read_text().startswith(_MADE))
    if config.exists() and not is_made:
        return
    if settings.dagster_storage is None:
        if not config.exists() or not config.is_symlink():
            config.unlink(missing_ok=True)  # or a link that leads nowhere: the repository was moved
            config.symlink_to(ours)
        return
    text = f"{_MADE}\n{ours.read_text()}{_ON_POSTGRES}"
    if config.is_symlink() or not config.exists() or config.read_text() != text:
        new = config.with_suffix(".new")
        new.write_text(text)
        new.replace(config)


def has_all_models(settings: Settings, manifest: Path) -> bool:
    """Whether each of our models is there as a table or view, with columns as made now."""
    nodes = [
        node
        for node in json.loads(manifest.read_bytes())["nodes"].values()
        if node["resource_type"] == "model"
        and is_own(node["fqn"])
        and node["config"]["materialized"] != "ephemeral"
    ]
    models = {(node["schema"], node["alias"]) for node in nodes}
    ours = {
        (node["schema"], node["alias"])
        for node in nodes
        if node["config"]["materialized"] == "lasting_view"
    }
    with connect(settings, read_only=True) as con:
        # those of earlier versions have the database in them: macros/create_view_as.sql
        is_as_now = is_placed_by_this_version(con) and not ours & views_with_database(con)
        return models <= tables(con) | views(con) and is_as_now
