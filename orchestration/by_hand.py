"""What `seamline reload`, `upkeep` and `rename` do once, and tell."""

from orchestration.errors import DbtFailedError
from orchestration.models import command
from orchestration.models.run import run_all_models
from orchestration.models.schema_name import SchemaMovedError, drop_others, other_schemas
from orchestration.prepare import prepare_dagster_home
from orchestration.recovery.ownership import own_relations, users_columns, users_relations
from orchestration.recovery.reload import limits_of_today, reload_rejected
from orchestration.recovery.user_notes import add_notes, notes_of
from orchestration.settings import Settings
from orchestration.upkeep.archives import pack_loaded_files
from orchestration.upkeep.keep_small import keep_small
from orchestration.upkeep.load_reports import forget_old_reports
from orchestration.warehouse.connection import connect, create_warehouse
from orchestration.warehouse.writer_lock import writer_lock


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
