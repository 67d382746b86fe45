"""`python -m orchestration`: what `make load`, `make verify`, `make sql` and others call."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec

import click
import duckdb
import msgspec
from rich.progress import Task

from landed.errors import ReportedError
from landed.progress import Bars
from orchestration import modes
from orchestration.in_place import refuse_nothing
from orchestration.loading import suppressed
from orchestration.loading.load import Progress
from orchestration.loading.people import ANONYMOUS, USER, Id
from orchestration.settings import Settings
from orchestration.warehouse import connection
from orchestration.warehouse.catalog import DATABASE
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.raw_tables import WITH_TABLE

P = ParamSpec("P")


_PASSWORD = "SEAMLINE_CATALOG_PASSWORD"  # noqa: S105 - its name
"""In the environment of the SQL prompt."""


def _with_settings(command: Callable[Concatenate[Settings, P], None]) -> Callable[P, None]:
    """Give a command the settings, and tell problem of the disk in one line as well."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        settings = Settings()
        modes.begin(settings)
        with _in_a_line():
            command(settings, *args, **kwargs)

    return wrapped


@contextmanager
def _in_a_line() -> Iterator[None]:
    """Tell what disk and warehouse say as what ends a command."""
    try:
        yield
    except OSError as error:
        raise ReportedError(
            f"{error.filename} cannot be used: {error.strerror}. Other folders are set by "
            "SEAMLINE_WAREHOUSE, SEAMLINE_WAREHOUSE_DATA, SEAMLINE_LANDING and DAGSTER_HOME."
        ) from error
    except duckdb.Error as error:
        place = " (SEAMLINE_WAREHOUSE_DATA)" if isinstance(error, duckdb.HTTPException) else ""
        said = " ".join(str(error).split())
        raise ReportedError(f"The warehouse answered{place}: {said}") from error


@contextmanager
def _progress(unit: str) -> Iterator[Progress]:
    """Show how far a `with` block is; the unit is what is counted."""

    def line(task: Task) -> str:
        return f"{task.completed:.0f} of {task.total or 0:.0f} {unit} done"

    with Bars(line=line, to_stderr=True) as bars:
        task = bars.add_task(unit, total=None)
        yield lambda done, total: bars.reach(task, done, total=total)


@click.group()
def cli() -> None:
    """Seamline's loading and modelling, by hand."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)


@cli.command(help="Make the warehouse, dbt's manifest and DAGSTER_HOME, as far as missing.")
@_with_settings
def prepare(settings: Settings) -> None:
    """Make what has to be there before Dagster starts."""
    from orchestration.prepare import prepare  # noqa: PLC0415

    with connection.keeping_sessions():
        prepare(settings)


@cli.command(help="Load all sealed files, run the dbt models, and exit.")
@_with_settings
def load(settings: Settings) -> None:
    """Do one synchronous pass."""
    from orchestration.one_pass import load_once  # noqa: PLC0415

    with connection.keeping_sessions(), _progress("bytes") as progress:
        click.echo(load_once(settings, progress))


@cli.command(help="Fetch what waits in SEAMLINE_LANDING_REMOTE, and keep there what was loaded.")
@click.option("--once", is_flag=True, help="Exchange once, and exit.")
@click.option("--all", "is_all", is_flag=True, help="On a new machine: bring all that was loaded.")
@_with_settings
def fetch(settings: Settings, *, once: bool, is_all: bool) -> None:
    """Exchange with the object store."""
    from orchestration.remote import process  # noqa: PLC0415 - brings obstore

    if is_all:
        with _progress("files") as progress:
            brought = process.bring_everything(settings, progress)
        click.echo("\n".join(brought.report()))
        if brought.damaged:
            sys.exit(1)
    elif once:
        click.echo(f"Fetched {process.fetch_once(settings)} files")
    else:
        process.stay(settings)


@cli.command(help="Say what came in, what waits and what is wrong; exit status 1 if anything is.")
@click.option("--json", "as_json", is_flag=True, help="All of it, with what the checks looked at.")
@_with_settings
def status(settings: Settings, *, as_json: bool) -> None:
    """Look, and change nothing."""
    from orchestration.audit.status import status  # noqa: PLC0415

    found = status(settings)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        click.echo("\n".join(found.lines()))
    if found.problems:
        sys.exit(1)


@cli.command(help="Bring exported tables up to date with what has changed.")
@click.option("--parquet", "place", help="A folder, or s3://…, in place of the settings'.")
@click.option("--raw", "raw_place", help="Likewise, for raw tables, which Spark reads.")
@click.option("--table", "tables", multiple=True, type=click.Choice(WITH_TABLE), help="One table.")
@_with_settings
def export(
    settings: Settings, *, place: str | None, raw_place: str | None, tables: tuple[str, ...]
) -> None:
    """Write what other tools read; the warehouse stays as it is."""
    from orchestration.export import run  # noqa: PLC0415

    if place or raw_place:
        settings = Settings(
            export_parquet=_named(place), export_raw=_named(raw_place), export_postgres=None
        )
    if not (settings.export_parquet or settings.export_raw or settings.export_postgres):
        raise click.UsageError(
            "Where to? Name a place with --parquet or --raw, or set SEAMLINE_EXPORT_PARQUET, "
            "SEAMLINE_EXPORT_RAW or SEAMLINE_EXPORT_POSTGRES in .env."
        )
    exports = {
        "parquet": run.export_parquet,
        "raw": run.export_raw,
        "postgres": run.export_postgres,
    }
    problems = []
    for kind, export in exports.items():
        try:
            with _in_a_line():
                for table, done in export(settings, tables):
                    click.echo(f"{kind}/{table}: {done}")
        except ReportedError as error:  # what cannot be exported to keeps no other waiting
            problems.append(error.message)
    if problems:
        raise ReportedError("\n".join(dict.fromkeys(problems)))


def _named(place: str | None) -> Path | str | None:
    """What an option names, as the settings have it."""
    if not place:
        return None
    return place if "://" in place else Path(place).absolute()


@cli.command(help="Say what became of what was received in a day, by source and event.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="A day of receipt, in UTC; today.")
@click.option("--source", help="One source.")
@click.option("--json", "as_json", is_flag=True, help="The same for programs.")
@_with_settings
def delivery(
    settings: Settings, *, day: datetime | None, source: str | None, as_json: bool
) -> None:
    """Look, and change nothing."""
    from orchestration.audit.delivery import of_day  # noqa: PLC0415

    found = of_day(settings, day.date() if day else None, source)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        click.echo("\n".join(found.lines()))


@cli.command(help="Say where an event is, from the file to the row; exit status 1 if nowhere.")
@click.argument("message_id")
@click.option("--json", "as_json", is_flag=True, help="The same for programs.")
@_with_settings
def trace(settings: Settings, *, message_id: str, as_json: bool) -> None:
    """Look, and change nothing; nothing of what the event says is shown."""
    if not message_id.strip():
        raise click.UsageError("The id is empty.")
    refuse_nothing(settings)
    from orchestration.audit.trace import trace  # noqa: PLC0415

    found = trace(settings, message_id)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        click.echo("\n".join(found.lines(settings.schema_name)))
    if not found.copies:
        sys.exit(1)


@cli.command(help="Prove the warehouse against the landed and archived files, line by line.")
@_with_settings
def verify(settings: Settings) -> None:
    """Say what was found, a line per call; exit status 1 if anything does not hold."""
    refuse_nothing(settings)
    from orchestration.audit.verify import verify  # noqa: PLC0415

    with _progress("files") as progress:
        verified = verify(settings, progress)
    for line in verified.report():
        click.echo(line)
    if verified.problems:
        sys.exit(1)


@cli.command(help="Make the whole warehouse again from the landed and archived files.")
@click.option("--without", is_flag=True, help="Even if files are missing or have expired.")
@_with_settings
def rebuild(settings: Settings, *, without: bool) -> None:
    """Build it beside the old one and put it in its place."""
    refuse_nothing(settings)
    from orchestration.recovery.rebuild import rebuild  # noqa: PLC0415

    with _progress("loads") as progress:
        done = rebuild(settings, without=without, progress=progress)
    click.echo(f"The warehouse was made again from {done.files} files")


@cli.command(help="Derive rows again: of a day, of a table, or events of what was rejected.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="A day of receipt, in UTC.")
@click.option("--table", type=click.Choice(WITH_TABLE), help="One table.")
@click.option("--rejected", is_flag=True, help="Check rejected records by today's rules.")
@_with_settings
def replay(settings: Settings, *, day: datetime | None, table: str | None, rejected: bool) -> None:
    """Do what a change of models, columns.yml or limits calls for."""
    if rejected == (day is not None or table is not None):
        raise click.UsageError("Say --day, --table or both, or else --rejected.")
    refuse_nothing(settings)

    if rejected:
        from orchestration.by_hand import reload_once  # noqa: PLC0415

        click.echo(reload_once(settings))
        return
    from orchestration.recovery.replay import replay  # noqa: PLC0415

    click.echo(replay(settings, day.date() if day else None, table))


@cli.command(help="List the fields that were seen, with their columns; drop columns of fields.")
@click.option("--table", type=click.Choice(WITH_TABLE), help="Fields of one table.")
@click.option("--source", help="Fields of one source.")
@click.option("--event", metavar="NAME", help="Properties of one event, or of those that fit.")
@click.option("--without-column", is_flag=True, help="Those that could have a column and do not.")
@click.option("--drop", metavar="PATTERN", help="Take the columns of such fields away.")
@click.option("--take-back", metavar="PATTERN", help="Let dropped fields have columns again.")
@_with_settings
def columns(
    settings: Settings,
    *,
    table: str | None,
    source: str | None,
    event: str | None,
    without_column: bool,
    drop: str | None,
    take_back: str | None,
) -> None:
    """Look; or change which fields have columns, and build all tables anew."""
    from orchestration.columns import listing  # noqa: PLC0415

    if drop or take_back:
        if (drop and take_back) or table or without_column:
            raise click.UsageError(
                "Say --drop or --take-back, with or without --source and --event."
            )
        from orchestration.columns import drop as dropping  # noqa: PLC0415 - brings dbt: seconds

        if drop:
            click.echo(dropping.drop(settings, drop, source, event).report("dropped"))
        elif take_back:
            changed = dropping.take_back(settings, take_back, source, event)
            click.echo(changed.report("taken back"))
        return
    fields = [
        one for one in listing.listed_fields(settings, table, event) if source in {None, one.source}
    ]
    brought = [
        one
        for one in listing.columns_brought(settings, table)
        if source in {None, one.source} and listing.is_of(event, one)
    ]
    if without_column:
        fields = [one for one in fields if one.status in listing.HELD_BACK or not one.path]
    for line in listing.lines_of(fields, brought):
        click.echo(line)


_USER_IDS = click.option("--user-id", "user_ids", multiple=True, help="May be given repeatedly.")
_ANONYMOUS_IDS = click.option("--anonymous-id", "anonymous_ids", multiple=True, help="Likewise.")


@cli.command(help="Erase people from files and warehouse, and store nothing of them any more.")
@_USER_IDS
@_ANONYMOUS_IDS
@click.option("--email", "emails", multiple=True, help="Whoever has this address and no other.")
@click.option("--near", is_flag=True, help="Other cases, blanks and forms of numbers too.")
@click.option("--notified", is_flag=True, help="Those whom Segment's delete notifications name.")
@click.option("--all", "is_all", is_flag=True, help="With --notified: beyond the hour's ceiling.")
@click.option("--suppress/--no-suppress", default=True, help="Whether to drop what comes later.")
@_with_settings
def forget(
    settings: Settings,
    *,
    user_ids: tuple[str, ...],
    anonymous_ids: tuple[str, ...],
    emails: tuple[str, ...],
    near: bool,
    notified: bool,
    is_all: bool,
    suppress: bool,
) -> None:
    """Erase, and say what was done and what is out of reach; no id is printed."""
    ids = _ids(user_ids, anonymous_ids)
    if bool(ids or emails) == notified:
        raise click.UsageError("Give --user-id, --anonymous-id or --email, or else --notified.")
    if (is_all and not notified) or (near and notified) or any(not email for email in emails):
        raise click.UsageError("--all goes with --notified, --near does not; no address is empty.")
    refuse_nothing(settings)

    from orchestration.erasure import erase  # noqa: PLC0415

    done = (
        erase.forget_notified(settings, with_ceiling=not is_all)
        if notified
        else erase.forget(settings, ids, emails=emails, near=near, suppress=suppress)
    )
    for line in done.report():
        click.echo(line)
    click.echo(f"Looked in {settings.landing} and {settings.place}")


@cli.command(help="Store the events of people again whom `forget` has suppressed.")
@_USER_IDS
@_ANONYMOUS_IDS
@_with_settings
def unsuppress(
    settings: Settings, *, user_ids: tuple[str, ...], anonymous_ids: tuple[str, ...]
) -> None:
    """Take them off the list; what was erased stays erased."""
    ids = _ids(user_ids, anonymous_ids)
    if not ids:
        raise click.UsageError("Give --user-id, --anonymous-id or both.")
    refuse_nothing(settings)

    freed = suppressed.allow_again(settings.landing, ids)
    click.echo(f"{freed} of {len(ids)} ids were suppressed, and are not any more")


def _ids(user_ids: tuple[str, ...], anonymous_ids: tuple[str, ...]) -> set[Id]:
    ids = {Id(USER, text) for text in user_ids} | {Id(ANONYMOUS, text) for text in anonymous_ids}
    if any(not one.text for one in ids):
        raise click.UsageError("An id is empty.")
    return ids


@cli.command(help="Write small files together, expire snapshots, remove what nobody needs.")
@_with_settings
def upkeep(settings: Settings) -> None:
    """Do all of the upkeep once."""
    refuse_nothing(settings)
    from orchestration.by_hand import upkeep_once  # noqa: PLC0415

    click.echo(upkeep_once(settings))


@cli.command(help="Move the tables to the schema that SEAMLINE_INTEGRATION_NAME gives, and exit.")
@_with_settings
def rename(settings: Settings) -> None:
    """Rebuild the tables under their new name, then drop the old ones."""
    refuse_nothing(settings)
    from orchestration.by_hand import rename_schema  # noqa: PLC0415

    click.echo(rename_schema(settings))


@cli.command(help="Open a SQL prompt on the warehouse, for reading; a script may come by stdin.")
@_with_settings
def sql(settings: Settings) -> None:
    """Become DuckDB's own prompt with the lake attached and the final tables' schema selected."""
    connection.connect(settings, read_only=True).close()  # says so if there is nothing to read
    opened = catalog_of(settings).to_open(read_only=True)
    start = [
        f"set extension_directory = '{connection.EXTENSION_DIRECTORY}';",
        *(
            f"load {extension};"
            for extension in (*connection.EXTENSIONS, *connection.extensions_of(settings))
        ),
        "set TimeZone = 'UTC';",
        *(f"{statement};" for statement in connection.settings_sql(settings)),
        f"{connection.attach_sql(settings, opened, read_only=True)};",
        f"use {DATABASE}.{settings.schema_name};",
    ]
    prompt = str(Path(sys.executable).with_name("duckdb"))
    environment = dict(os.environ)
    if password := catalog_of(settings).password:
        # arguments are seen by every user of the machine
        environment[_PASSWORD] = password
        secret = connection.secret_sql(f"getenv('{_PASSWORD}')")
        start[-2:-2] = [".output /dev/null", f"{secret};", ".output"]  # it would say so
    arguments = [prompt, *(part for line in start for part in ("-cmd", line))]
    if opened.folder is None:
        os.execve(prompt, arguments, environment)  # noqa: S606 - our own environment's
    click.echo(
        f"You may only read {settings.place}: this prompt shows the warehouse as it is now. "
        "Open it again to see what has come.",
        err=True,
    )
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is the prompt's
    status = subprocess.run(arguments, check=False).returncode
    opened.remove_copy()
    sys.exit(status)


if __name__ == "__main__":
    cli()
