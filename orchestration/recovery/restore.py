"""Making a warehouse again from the files of past loads and the journal of them.

Each load gets back its number and its time, each line its file and place, so that the tables are
row for row what they were. The order in which the files are read does not matter for that.
"""

import logging
from dataclasses import dataclass, field

import duckdb

from orchestration.erasure import record
from orchestration.erasure.erased_fields import bring_back_fields
from orchestration.loading import journal, landed_file
from orchestration.loading.archive import Expired
from orchestration.loading.insert import highest_load, insert_files, known_checksums
from orchestration.loading.journal import JournaledLoad
from orchestration.loading.kept_files import read_kept
from orchestration.loading.load import (
    Progress,
    is_behind,
    mark_of_earlier_versions,
    portions,
)
from orchestration.recovery.ownership import users_folders
from orchestration.recovery.reload import move_again
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.data_places import place_at
from orchestration.warehouse.raw_tables import create_raw_tables
from orchestration.warehouse.transaction import transaction
from orchestration.warehouse.writer_lock import writer_lock

log = logging.getLogger(__name__)


@dataclass
class Restored:
    """What was loaded again."""

    files: int = 0
    moved: int = 0
    """Rejected records that had become events later, and are so again."""
    missing: list[str] = field(default_factory=list)
    """Files of the journal that are nowhere, though no archive of theirs has expired."""
    expired: int = 0
    """Files that went with their archive because of its age."""
    changed: list[str] = field(default_factory=list)
    """Files that are not what was loaded; they are loaded as they are."""
    folders: list[str] = field(default_factory=list)
    """Where Parquet files of a user's own tables lie, if the catalog with the tables was lost."""


def restore_if_behind(settings: Settings, progress: Progress | None = None) -> Restored | None:
    """Load again what the warehouse lacks of the journal: it was lost, or is an older copy.

    Safe to kill at any point: what was not done is done the next time.

    Returns:
        What was done; None if the warehouse lacks nothing.

    Raises:
        WriterBusyError: another writer did not finish in time; nothing was changed.
    """
    with writer_lock(settings), connect(settings) as con:
        create_raw_tables(con)
        if not is_behind(con, settings.landing):
            return None
        log.warning("The warehouse lacks loads of the journal: they are loaded again.")
        folders = [] if highest_load(con) else _keep_what_is_a_users(settings)
        restored = restore(con, settings, progress)
        restored.folders = folders
        mark_of_earlier_versions(settings.landing).unlink(missing_ok=True)
        return restored


def _keep_what_is_a_users(settings: Settings) -> list[str]:
    """Leave a day's time for what the lost catalog alone could have read, and name it."""
    place_at(settings.data_address).renew()  # orphans from now on
    folders = users_folders(settings)
    log.warning("The catalog was lost. %s", what_is_not_restored(folders))
    return folders


def what_is_not_restored(folders: list[str]) -> str:
    """Say that a user's own tables are in no file that is loaded, and where there may be some."""
    said = (
        "Tables, views, macros, schemas, columns, comments and options of your own are not made "
        "again: they come from a copy of the warehouse alone."
    )
    if folders:
        said += (
            " Parquet files of such tables are left for a day, with deleted and older rows in "
            f"them too, in {', '.join(folders)}."
        )
    return said


def restore(
    con: duckdb.DuckDBPyConnection, settings: Settings, progress: Progress | None = None
) -> Restored:
    """Load all files of the journal that the ledger lacks, as the loads they belonged to."""
    restored = Restored()
    with transaction(con):
        # until it has ended: after a death in the middle the last load may be there already
        con.execute("insert into raw.restored by name select null as restored_at")
        bring_back_fields(con, settings.landing)
        record.bring_back(con, settings.landing)
    gone = Expired(settings.landing)
    retries = []
    last = journal.last_load(settings.landing)
    for journaled in journal.journaled(settings.landing):
        _restore_files(con, settings, journaled, gone, restored)
        retries += [load for load in journaled if load.moved]
        if progress:
            progress(journaled[-1].load_id, last)
    for retry in retries:
        if not con.execute("from raw.landed_file where load_id = ?", [retry.load_id]).fetchone():
            restored.moved += move_again(con, retry)
    with transaction(con):
        con.execute("delete from raw.restored where restored_at is null")
        con.execute(
            "insert into raw.restored values (?, timezone('UTC', now()), ?, ?)",
            [last, restored.files, len(restored.missing) + restored.expired],
        )
    for file in restored.missing:
        log.error("%s is nowhere: its events are not in the warehouse.", file)
    for file in restored.changed:
        log.error("%s is not what was loaded at first; it was loaded as it is.", file)
    return restored


def _restore_files(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    journaled: list[JournaledLoad],
    gone: Expired,
    restored: Restored,
) -> None:
    load_of = {file: load for load in journaled for file in load.files}
    known = known_checksums(con, [_name(file) for file in load_of])
    missing = {file for file in load_of if _name(file) not in known}
    times = {load.load_id: load.loaded_at.replace(tzinfo=None) for load in journaled}
    kept = ((file, len(data), data) for file, data in read_kept(settings.landing, missing))
    sized = (((file, data), size) for file, size, data in kept)
    for portion in portions(sized, settings.load_bytes):
        contents = []
        for (file, data), _ in portion:
            one = landed_file.parse(file, data)
            one.load_id = load_of[file.key].load_id
            if one.sha256 != load_of[file.key].files[file.key]:
                restored.changed.append(file.key)
            missing.discard(file.key)
            contents.append(one)
        insert_files(con, contents, times)
        restored.files += len(contents)
        log.info("loaded %d files again", restored.files)
    expired = gone.among(missing)
    restored.expired += len(expired)
    restored.missing += sorted(missing - expired)


def _name(file: str) -> str:
    return file.partition("/")[2]
