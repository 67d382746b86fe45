"""What has to be there before Dagster starts: the warehouse, the manifest, Dagster's folder."""

import json
import os
from pathlib import Path

from landed.settings import ROOT
from orchestration import dagster_database, modes
from orchestration.columns.update import is_placed_by_this_version
from orchestration.errors import DbtFailedError
from orchestration.loading.load import is_behind
from orchestration.models import command, run, up_to_date
from orchestration.models.own_models import is_own
from orchestration.models.schema_name import (
    SchemaMovedError,
    drop_others,
    other_schemas,
    refuse_another_name,
)
from orchestration.recovery.ownership import own_relations, users_columns, users_relations
from orchestration.recovery.reload import limits_of_today, reload_rejected
from orchestration.recovery.user_notes import add_notes, notes_of
from orchestration.settings import Settings
from orchestration.upkeep.archives import pack_loaded_files
from orchestration.upkeep.keep_small import keep_small
from orchestration.upkeep.load_reports import forget_old_reports
from orchestration.warehouse.catalog import tables, views, views_with_database
from orchestration.warehouse.connection import connect, create_warehouse
from orchestration.warehouse.writer_lock import writer_lock


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
    manifest = run.write_manifest(settings)
    # what is lost the first run loads again; the receiver does not wait
    if not is_lost and not has_all_models(settings, manifest):
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


def reload_once(settings: Settings) -> str:
    """Try again what was rejected, and run the models.

    Returns:
        What happened, in a line.
    """
    done = reload_rejected(settings, limits_of_today())
    if done.moved:
        run_all_models(settings)
    left = ", ".join(f"{count} {reason}" for reason, count in sorted(done.left.items()))
    return f"Moved {done.moved} of {done.tried} rejected records; left: {left or 'none'}"


def upkeep_once(settings: Settings) -> str:
    """Do the upkeep of the warehouse and of Dagster's storage.

    Returns:
        What happened, in lines.
    """
    from dagster import DagsterInstance  # noqa: PLC0415 - takes seconds, needed here alone

    from orchestration.upkeep import dagster_storage  # noqa: PLC0415

    prepare_dagster_home(settings)
    create_warehouse(settings)
    packed = pack_loaded_files(settings)
    forgotten = forget_old_reports(settings)
    done = keep_small(settings)
    with DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        purged = dagster_storage.purge(instance, settings)
    files, snapshots, orphans = done.rewritten, done.expired, done.orphans
    longest = max(one.longest_lock_seconds for one in (packed, forgotten, done))
    return "\n".join(
        [
            f"Landed files packed: {packed.files}; archives removed: {packed.archives_expired}",
            f"Parquet files of the tables: {files.files_before}, now {files.files_after}",
            f"Snapshots: {snapshots.snapshots_before}, now {snapshots.snapshots_after}",
            f"Files removed: {snapshots.files_removed} that no snapshot lists, {orphans} orphans",
            f"Catalog: {done.catalog_bytes / 1e6:.1f} MB",
            f"Dagster's runs removed: {purged.runs}",
            f"A load had to wait {longest:.1f} s at most",
        ]
    )


def rename_schema(settings: Settings) -> str:
    """Build all tables under the name that is set now, then drop those of the old one.

    One that was cut short is finished by the next, whichever of the names is set by then.

    Returns:
        What happened, in a line.

    Raises:
        DbtFailedError: one of our models failed; the tables of the old name are as they were.
        SchemaMovedError: columns of a user's would be lost; no table was changed.
    """
    with writer_lock(settings):
        with connect(settings, read_only=True) as con:
            others = other_schemas(con, settings.schema_name)
            columns = [name for other in others for name in users_columns(con, settings, other)]
        if columns:
            raise SchemaMovedError(
                "These columns are yours, and no file and no model has them: "
                f"{', '.join(columns)}. No table was changed. Copy what you need to a table in a "
                "schema of your own, drop the columns, and run it again."
            )
        _build_under_new_name(settings, others)
        with connect(settings) as con:
            for other in others:
                add_notes(con, notes_of(con).moved(other, settings.schema_name))
            ours = {one for other in others for one in own_relations(con, settings, other)}
            gone = drop_others(con, settings, ours)
            left = users_relations(con, settings)
    moved = f"moved from {', '.join(gone)}" if gone else "were there already"
    stay = f". Of yours, as they were: {', '.join(left)}" if left else ""
    return f"The tables are in {settings.schema_name} ({moved}){stay}"


def _build_under_new_name(settings: Settings, others: list[str]) -> None:
    try:
        with command.renaming():
            run_all_models(settings)
    except DbtFailedError as failed:
        if not others:
            raise
        raise DbtFailedError(
            f"{failed}\nThe tables in {' and '.join(map(repr, others))} are as they were. "
            "`make rename` goes on from here; or set the name back and then run `make rename`."
        ) from failed


def run_all_models(settings: Settings) -> None:
    """Bring every model up to date, a user's too; one of theirs that cannot be is named.

    Raises:
        DbtFailedError: one of ours could not be; the text says which and why.
    """
    made = up_to_date.made_from(settings)
    with writer_lock(settings):
        results = run.run_models(settings)
        up_to_date.note(settings, made, results)
    run.require_own(results)
