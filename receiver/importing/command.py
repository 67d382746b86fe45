"""The command: all files that were named, one after the other, and a line about each."""

import os
from collections.abc import Iterable, Mapping

import click
import msgspec

from landed.folders import IMPORTS, REJECTED
from receiver.errors import StartError
from receiver.files.disk import make_folder, prepare_landing, problem_code
from receiver.importing.errors import FileError, UnreadableError
from receiver.importing.import_progress import ImportProgress
from receiver.importing.journal import Place, key_of
from receiver.importing.one_file import Outcome, import_file, tidy
from receiver.importing.origins import Origin
from receiver.importing.places import find, source_name
from receiver.senders.sources import SourceName
from receiver.settings import Settings

_RESUME = "The same command again goes on where this one stopped."


class _Tally:
    """What came out of all files."""

    def __init__(self) -> None:
        self.files = 0
        self.events = 0
        self.rejected = 0
        self.were_there = 0
        self.failed = 0

    def add(self, outcome: Outcome) -> None:
        self.failed += outcome.journal.cut_short
        if outcome.was_there:
            self.were_there += 1
            return
        rejected = outcome.journal.landed.get(REJECTED, 0)
        self.files += 1
        self.events += outcome.journal.records - rejected
        self.rejected += rejected

    def __str__(self) -> str:
        return (
            f"{self.files:,} files imported: {self.events:,} events, {self.rejected:,} rejected. "
            f"{self.were_there:,} had been imported before, {self.failed:,} failed."
        )


def import_places(places: Iterable[str], source: str | None, settings: Settings) -> bool:
    """Import all files at some places, and say what became of each.

    Args:
        places: files, folders, patterns, addresses in object stores.
        source: the sender's name their events get; chosen by each file's address if left out.
        settings: where to land, and what an event may measure.

    Returns:
        Whether all is landed.

    Raises:
        StartError: nothing can be landed, or the name is none.
    """
    _refuse_bad_name(source)
    os.umask(0o077)
    prepare_landing(settings.landing)
    imports = settings.landing / IMPORTS
    make_folder(imports)
    tally = _Tally()
    files = _find_all(places, tally)
    with ImportProgress(sum(origin.size for origin in files.values())) as progress:
        try:
            tidy(imports, settings.landing, files)
            for key, origin in files.items():
                name = source or source_name(origin.address)
                _import_one(origin, Place(imports, key), name, settings, tally, progress)
        except OSError as error:
            raise _cannot_land(settings, error) from error
    if len(files) > 1:
        progress.say(str(tally))
    return tally.failed == 0


def _refuse_bad_name(source: str | None) -> None:
    try:
        msgspec.convert(source, SourceName | None)
    except msgspec.ValidationError as error:
        raise StartError(
            f"{source!r} cannot be a source's name: at most 63 letters, digits, - and _."
        ) from error


def _find_all(places: Iterable[str], tally: _Tally) -> Mapping[str, Origin]:
    files: dict[str, Origin] = {}
    for place in places:
        try:
            found = find(place)
        except FileError as error:
            tally.failed += 1
            click.echo(f"{place} {error}.", err=True)
            continue
        for link, why in found.links:
            tally.failed += 1
            click.echo(f"{link} {why}.", err=True)
        files |= {key_of(origin): origin for origin in found.files}
        if found.others:
            click.echo(f"{place}: {found.others:,} files of other kinds are left out.")
    return files


def _import_one(
    origin: Origin,
    place: Place,
    source: str,
    settings: Settings,
    tally: _Tally,
    progress: ImportProgress,
) -> None:
    try:
        outcome = import_file(origin, place, source, settings, progress.note)
    except FileError as error:
        tally.failed += 1
        again = f" {_RESUME}" if isinstance(error, UnreadableError) else ""
        click.echo(f"{origin.address} {error}.{again}", err=True)
    else:
        tally.add(outcome)
        progress.say(_told(outcome))
        if outcome.journal.cut_short:
            click.echo(
                f"{origin.address} is cut short: what stands before the cut is imported. "
                "A repaired file can be imported after it.",
                err=True,
            )
    progress.file_done(origin.size)


def _told(outcome: Outcome) -> str:
    journal = outcome.journal
    done = "was imported before" if outcome.was_there else "imported"
    counts = ", ".join(f"{number:,} {folder}" for folder, number in sorted(journal.landed.items()))
    return f"{journal.address} {done} as {journal.source}: {counts or 'no events'}."


def _cannot_land(settings: Settings, error: OSError) -> StartError:
    if problem_code(error) == "disk_full":
        reserve = settings.reserve_bytes.human_readable()
        return StartError(
            f"{settings.landing} is full: {reserve} stay free (SEAMLINE_RESERVE_BYTES). {_RESUME}"
        )
    return StartError(f"{settings.landing} cannot be written to: {error.strerror}. {_RESUME}")
