"""A dbt command and the warehouse: what writes is the one writer, and everything else reads.

dbt calls this at the start of each command, whatever the profile says (dbt_seamline/).
"""

import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import click
import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.factory import cleanup_connections
from dbt.config.profile import Profile
from dbt_common.exceptions import DbtRuntimeError

from landed.errors import ReportedError
from landed.settings import WrongSettingsError, schema_of
from orchestration import modes
from orchestration.columns.columns_yml import read_rules
from orchestration.columns.documented import CALLS
from orchestration.columns.in_force import Force, in_a_line, put_in_force, rules_in_force
from orchestration.columns.update import (
    create_column_tables,
    placed_as,
    update_placement,
)
from orchestration.columns.widened import drop_emptied
from orchestration.loading.load import refuse_if_behind
from orchestration.models.schema_name import refuse_another_name
from orchestration.settings import Settings
from orchestration.warehouse import connection
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.raw_tables import create_raw_tables
from orchestration.warehouse.writer_lock import Writer, writer_lock

log = logging.getLogger(__name__)

PROJECT = "seamline"
PLUGIN = "orchestration.models.plugin"
ENGINE = "duckdb"

WRITING = {"build", "clone", "retry", "run", "run-operation", "seed", "snapshot"}
"""dbt's commands that write; `test` does too if it is to store failures."""

INTEGRATION_NAME = "SEAMLINE_INTEGRATION_NAME"
"""In the environment, for the profile."""

_AS_PLACED = "SEAMLINE_AS_PLACED"
"""In the environment, for macros/fill_moved_columns.sql and persist_docs.sql."""

_now: set[str] = set()
"""What this process is doing, of writing, giving way, renaming and rebuilding."""

_pauses: list[Writer] = []


@contextmanager
def _doing(what: str) -> Iterator[None]:
    _now.add(what)
    try:
        yield
    finally:
        _now.discard(what)


def renaming() -> AbstractContextManager[None]:
    """Let dbt build tables under a new name beside those of the old one."""
    return _doing("renaming")


def rebuilding() -> AbstractContextManager[None]:
    """Let dbt work on a warehouse that is made beside one that lacks loads."""
    return _doing("rebuilding")


def giving_way() -> AbstractContextManager[None]:
    """Let a command of a user's models leave the lock to others while it computes them."""
    return _doing("giving way")


@contextmanager
def with_fields_placed(*, is_all_made: bool) -> Iterator[None]:
    """Let a command go by what its caller, who is the writer, has seen to be so (`placement`).

    Args:
        is_all_made: Whether each model has been run by this process since it was not so: nothing
            is to be filled in its table, and every comment is there.
    """
    if is_all_made:
        os.environ[_AS_PLACED] = "true"
    try:
        with _doing("as placed"):
            yield
    finally:
        os.environ.pop(_AS_PLACED, None)


def pausing() -> Writer | None:
    """The writer that is to pause while a model is computed, if the command gives way."""
    return _pauses[-1] if _pauses else None


def is_writing() -> bool:
    """Whether the dbt command of this process is the writer."""
    return "writing" in _now


def read_settings() -> Settings:
    """The settings, for what dbt calls.

    Raises:
        DbtRuntimeError: some do not fit; dbt shows its text, and no traceback.
    """
    try:
        return Settings()
    except WrongSettingsError as wrong:
        raise DbtRuntimeError(str(wrong)) from None


def begin(project: str) -> None:
    """Prepare the warehouse for the command that dbt begins; with its end all is given back.

    Args:
        project: The name of the dbt project.

    Raises:
        DbtRuntimeError: the command may not write, or not now; nothing was changed.
    """
    context = click.get_current_context(silent=True)
    if context is None or not isinstance(context.obj, dict) or "profile" not in context.obj:
        return  # no command of dbt's: whoever uses it as a library, as sqlfluff does, may read
    settings = read_settings()
    profile: Profile = context.obj["profile"]
    if project == PROJECT:
        take_schema(profile.credentials, settings)
    if profile.credentials.type != ENGINE:
        return  # another engine's tables: docs/spark.md
    if project != PROJECT and not uses_warehouse(profile.credentials, settings):
        return
    flags = context.obj["flags"]
    modes.begin(settings)
    modes.narrow_dbts(Path(flags.LOG_PATH), Path(flags.PROJECT_DIR))
    _disconnect()  # what an earlier command of this process left open may be attached otherwise
    context.call_on_close(_disconnect)
    if writes(flags):
        refuse_more_threads(profile.threads)
        if project == PROJECT:
            refuse_a_part_of_the_rows(flags)
        context.with_resource(_writer(settings, flags, prepares_columns=project == PROJECT))


def take_schema(credentials: Any, settings: Settings) -> None:
    """Give a profile the schema of the name that stands in `.env`, which dbt does not read.

    Args:
        credentials: Those of the profile, before dbt has read the project by them. A schema that
            the environment or another profile has given stays as it is.
        settings: With the name.
    """
    unset = schema_of(Settings.model_fields["integration_name"].default)
    if INTEGRATION_NAME not in os.environ and credentials.schema == unset:
        credentials.schema = settings.schema_name


def only_connects() -> bool:
    """Whether dbt's command is `debug`: it reads no project, and builds nothing."""
    context = click.get_current_context(silent=True)
    return context is not None and context.info_name == "debug"


def writes(flags: Any) -> bool:
    """Whether a command, given by its flags, writes to the warehouse."""
    return flags.WHICH in WRITING or (
        flags.WHICH == "test" and bool(getattr(flags, "STORE_FAILURES", None))
    )


def uses_warehouse(credentials: Any, settings: Settings) -> bool:
    """Whether another project's profile lets it write to our warehouse, as ours or by its path."""
    named = {plugin.module for plugin in getattr(credentials, "plugins", None) or ()}
    paths = [
        attached.path
        for attached in getattr(credentials, "attach", None) or ()
        if not attached.read_only
    ]
    paths.append(str(getattr(credentials, "path", "")))
    return PLUGIN in named or any(catalog_of(settings).is_at(path) for path in paths)


def refuse_a_part_of_the_rows(flags: Any) -> None:
    """A view that was made without rows, or with some, would show no others to anybody.

    Later runs make a view again only where it is another.
    """
    for name in ("EMPTY", "SAMPLE"):
        if getattr(flags, name, None):
            raise DbtRuntimeError(
                f"--{name.lower()} would leave the views of a warehouse in use without their rows: "
                "leave it away, or take a warehouse for trying. Nothing was changed."
            )


def refuse_more_threads(threads: int) -> None:
    """Models that write at once fail at DuckLake's commit, or crash.

    docs/decisions/0002-warehouse.md says more.
    """
    if threads > 1:
        raise DbtRuntimeError(
            f"dbt writes to the warehouse with one thread, not {threads}: leave --threads "
            "away. Nothing was changed."
        )


@contextmanager
def _writer(settings: Settings, flags: Any, *, prepares_columns: bool) -> Iterator[None]:
    try:
        with writer_lock(settings) as writer:
            is_to_place = prepares_columns and "as placed" not in _now
            emptied = _place_fields(settings, flags) if is_to_place else []
            if "giving way" in _now:
                _pauses.append(writer)
            with _doing("writing"):
                try:
                    yield
                finally:
                    _pauses.clear()
                    _disconnect()  # also what a command that failed half way has open
            if emptied:
                _drop_emptied(settings)
    except ReportedError as problem:
        raise DbtRuntimeError(str(problem)) from problem


def _disconnect() -> None:
    cleanup_connections()  # type: ignore[no-untyped-call]
    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


def _drop_emptied(settings: Settings) -> None:
    """Drop what views have named until they were made again, by the command that is done."""
    with connection.connect(settings) as con:
        left = drop_emptied(con, settings.schema_name)
    if left:
        log.warning(
            "%d columns of an earlier version are empty, as their numbers are in another one now "
            "(docs/tables/types.md). They stay until no view names them.",
            len(left),
        )


def _place_fields(settings: Settings, flags: Any) -> list[str]:
    """Place what was seen, by the rules that each table goes by.

    Returns:
        Columns of an earlier version that are empty, and that views still name.
    """
    wanted = read_rules(settings.columns)
    with connection.connect(settings) as con:
        create_raw_tables(con)
        if "rebuilding" not in _now:
            # increments go by the number of a load, and lower ones are still to come
            refuse_if_behind(con, settings)
        if "renaming" not in _now:
            refuse_another_name(con, settings)
        create_column_tables(con)
        force = put_in_force(
            con,
            settings.schema_name,
            wanted,
            built=_built(flags),
            is_anew=bool(getattr(flags, "FULL_REFRESH", None)),
        )
        if force.waiting:
            commands = " and ".join(
                f"`seamline replay --table {call}`" for call in sorted(force.waiting)
            )
            log.warning(
                "%s has changed since these tables were built, and they go on as they are: %s. It "
                "comes into force for each when it is built anew, with %s.",
                *(settings.columns, in_a_line(force.waiting), commands),
            )
        return update_placement(
            con, settings.schema_name, wanted, force.of_tables(), anew=force.coming
        )


def placement(con: duckdb.DuckDBPyConnection, settings: Settings) -> str | None:
    """Return what stands for the places of all that was seen, by the rules as they are.

    Returns:
        The same as long as no view would change; None if something has no place yet.

    Raises:
        SchemaMovedError: the tables are in another schema than the settings say.
    """
    refuse_another_name(con, settings)
    of_tables = Force(rules_in_force(con)).of_tables()
    return placed_as(con, settings.schema_name, read_rules(settings.columns), of_tables)


def _built(flags: Any) -> set[str]:
    """The calls whose staging view and table a command builds for sure."""
    if flags.WHICH not in {"build", "run"} or flags.EXCLUDE:
        return set()
    selected = " ".join(flags.SELECT or ()).split()
    if not selected:
        return set(CALLS)
    # dbt's words for a model and all before it or behind it, and ours (run.selector)
    return {
        call
        for call in CALLS
        if not {f"+{call}", f"+{call}+", f"stg_segment__{call}+"}.isdisjoint(selected)
        or {call, f"stg_segment__{call}"} <= {one.rpartition(".")[2] for one in selected}
    }
