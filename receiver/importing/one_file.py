"""One file: read, staged chunk by chunk, landed; and what earlier imports have left."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from landed.folders import REJECTED
from receiver.events.check import Event, Limits, Record, Rejected
from receiver.events.made_up_ids import OfLine
from receiver.events.suppression import LiveSuppression
from receiver.files.envelope import good_line, received_stamps, rejected_line
from receiver.files.lines import Lines
from receiver.importing.errors import CutShortError, FileError, UselessError
from receiver.importing.journal import Journal, Place, State
from receiver.importing.origins import Origin
from receiver.importing.reading import Line, read_lines
from receiver.importing.records import records_of
from receiver.importing.staging import drop_unnoted, publish, remove_folder, stage
from receiver.senders.masking import Mask
from receiver.senders.sources import load_sources
from receiver.settings import Settings

CHUNK_BYTES = 16 << 20
"""So many bytes of lines that were read are a chunk; a line is never parted."""

LANDED_BYTES = 2 * CHUNK_BYTES
"""So are so many of lines that land: an envelope may be longer than what is in it."""

NoteProgress = Callable[[int, int], None]
"""Is told how many bytes of the file, as it is packed, and how many events are done."""


class Outcome(NamedTuple):
    """What became of a file: its journal, and whether it had been imported before."""

    journal: Journal
    was_there: bool = False


def import_file(
    origin: Origin, place: Place, source: str, settings: Settings, note: NoteProgress
) -> Outcome:
    """Return when all of a file is landed.

    Args:
        origin: the file.
        place: where its journal is.
        source: the sender's name its events get, unless an earlier import has given one.
        settings: where to land, and what an event may measure.
        note: is told how far it is.

    Raises:
        FileError: it cannot be imported, or not now.
        OSError: nothing can be landed.
    """
    found = place.journal()
    if found and found.state is State.LANDED:
        return Outcome(found, was_there=True)
    with place.claimed():
        journal = place.journal() or _begin(origin, source)
        if journal.state is State.READING:
            drop_unnoted(place, journal)
            try:
                _read(origin, place, journal, settings, note)
            except UselessError:
                place.forget()
                raise
        return Outcome(land(place, journal, settings.landing))


def land(place: Place, journal: Journal, landing: Path) -> Journal:
    """Land a file that has been read; it is claimed by the caller."""
    if journal.state is State.READ:
        publish(place, journal, landing)
        journal.state = State.LANDED
        place.write(journal)
    remove_folder(place)
    return journal


def tidy(imports: Path, landing: Path, wanted: Mapping[str, Origin]) -> None:
    """Land what was read to its end, and remove what was begun of a file that has changed since.

    Args:
        imports: the folder of the journals.
        landing: the landing folder.
        wanted: the files to import now, by their keys: they are left alone.
    """
    addresses = {origin.address for origin in wanted.values()}
    unfinished = [path.name for path in imports.iterdir() if path.is_dir()]
    for place in (Place(imports, key) for key in unfinished if key not in wanted):
        with contextlib.suppress(FileError), place.claimed():
            journal = place.journal()
            if journal and journal.state is not State.READING:
                land(place, journal, landing)
            elif journal is None or journal.address in addresses:
                place.forget()


def _begin(origin: Origin, source: str) -> Journal:
    return Journal(
        address=origin.address,
        size=origin.size,
        version=origin.version,
        source=source,
        started=_now(),
    )


def _now() -> int:
    return time.time_ns() // 1000


def _read(
    origin: Origin, place: Place, journal: Journal, settings: Settings, note: NoteProgress
) -> None:
    with origin.open() as opened:
        lines = _until_cut(read_lines(opened, journal.offset, settings.body_bytes), journal)
        for chunk, offset in _chunks(lines, journal, settings):
            stage(place, journal, chunk, settings.reserve_bytes)
            _count(journal, chunk, offset)
            place.write(journal)
            note(opened.tell(), journal.records)
        origin.refuse_changed(opened)
    journal.state = State.READ
    journal.read_at = _now()
    place.write(journal)


def _until_cut(lines: Iterator[Line], journal: Journal) -> Iterator[Line]:
    """Pass lines on; a file that ends in the middle has none after that."""
    try:
        yield from lines
    except CutShortError:
        journal.cut_short = True


def _chunks(
    lines: Iterator[Line], journal: Journal, settings: Settings
) -> Iterator[tuple[Lines, int]]:
    """Gather landed lines; each chunk comes with the place in the file where the next begins."""
    limits = Limits(settings.event_bytes, settings.depth)
    suppression = LiveSuppression(settings.landing)
    suppression.refuse_unreadable()
    mask = load_sources(settings.sources).mask if settings.sources.exists() else Mask(())
    stamps = received_stamps(journal.started + journal.records)
    chunk, begin, end = Lines(), journal.offset, journal.offset
    name = journal.address.rpartition("/")[2].removesuffix(".gz")
    for line in lines:
        ids = OfLine(name, line.end)
        people = suppression.current()
        for record in records_of(line, limits, settings.body_bytes, people, ids):
            _add(chunk, record, next(stamps), journal.source, mask)
        end = line.end
        if end - begin >= CHUNK_BYTES or chunk.size >= LANDED_BYTES:
            yield chunk, end
            chunk, begin = Lines(), end
    yield chunk, end


def _add(chunk: Lines, record: Record, received_at: str, source: str, mask: Mask) -> None:
    if isinstance(record, Event):
        line = good_line(record.message_id, received_at, record.sent_at, source, record.payload)
        chunk.add(record.call, line)
    elif isinstance(record, Rejected):
        line = rejected_line(received_at, source, record.call, record.reason, mask(record.body))
        chunk.add(REJECTED, line)


def _count(journal: Journal, chunk: Lines, offset: int) -> None:
    journal.chunks += 1
    journal.offset = offset
    journal.records += chunk.events
    for folder, of_folder in chunk.by_folder.items():
        journal.landed[folder] = journal.landed.get(folder, 0) + len(of_folder)
