"""`make verify`: proof, from the files up, that nothing was lost, doubled or changed.

Each landed and archived file is read and held against the ledger (its checksum), each of its lines
against the raw tables (every column), and each message of the raw tables against its final table
(its row, and that row against what the models make of its copy). What does not hold is named.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import duckdb

from landed.folders import CALLS, FOLDERS
from orchestration.audit import completeness
from orchestration.audit.landed_lines import WrongLine, wrong_lines
from orchestration.audit.problems import problems
from orchestration.loading import journal, landed_file
from orchestration.loading.archive import FOLDER as ARCHIVE
from orchestration.loading.archive import (
    LOADED,
    DamagedArchiveError,
    Expired,
    archives,
    read_archive,
)
from orchestration.loading.insert import known_checksums
from orchestration.loading.kept_files import read_kept
from orchestration.loading.landed_file import Contents, LandedFile
from orchestration.loading.load import Progress, portions
from orchestration.loading.waiting import waiting_files
from orchestration.models.first_copy import place
from orchestration.settings import Settings
from orchestration.warehouse.catalog import columns_of, number, quoted
from orchestration.warehouse.connection import connect, create_warehouse
from orchestration.warehouse.raw_tables import is_current

log = logging.getLogger(__name__)

_NAMED = 20


@dataclass
class Verified:
    """What was looked at, and what does not hold."""

    files: Counter[str] = field(default_factory=Counter)
    """Folder → files read."""
    lines: Counter[str] = field(default_factory=Counter)
    """Folder → lines in them."""
    rows: dict[str, int] = field(default_factory=dict)
    """Call → rows of its final table."""
    copies: dict[str, int] = field(default_factory=dict)
    """Folder → rows of its raw table."""
    waiting: Counter[str] = field(default_factory=Counter)
    """Folder → files that wait."""
    expired: Counter[str] = field(default_factory=Counter)
    """Folder → files that went with their archive because of its age."""
    problems: list[str] = field(default_factory=list)

    def report(self) -> Iterator[str]:
        """One line per call, and what could not be used; then what does not hold."""
        for folder in FOLDERS:
            line = (
                f"{folder}: {self.lines[folder]} lines in {self.files[folder]} files; "
                f"{self.copies[folder]} in raw.{folder}"
            )
            if folder in self.rows:
                line += f"; {self.rows[folder]} rows"
            if self.waiting[folder]:
                line += f"; {self.waiting[folder]} files wait"
            if self.expired[folder]:
                line += f"; {self.expired[folder]} files have expired"
            yield line
        yield from self.problems
        if not self.problems:
            yield "Every line is where it has to be, and every message is one row."


def verify(settings: Settings, progress: Progress | None = None) -> Verified:
    """Prove the warehouse against its files, while others write.

    All is read at one snapshot of the warehouse; what is loaded meanwhile is not looked at. One
    that an earlier version made is first brought up to date.

    Raises:
        WarehouseMissingError: there is none.
        WriterBusyError: it is not up to date, and another writer did not finish in time.
    """
    done = Verified()
    with connect(settings, read_only=True) as con:
        is_up_to_date = is_current(con)
    if not is_up_to_date:
        create_warehouse(settings)
    try:
        _verify(settings, done, progress)
    except duckdb.Error as error:
        done.problems.append(f"The warehouse cannot be read any further: {error}")
    return done


def _verify(settings: Settings, done: Verified, progress: Progress | None) -> None:
    with connect(settings, read_only=True) as con:
        con.execute("begin")
        ledger = _ledger(con)
        done.waiting.update(path.parent.name for path in waiting_files(settings.landing))
        _verify_files(con, settings, ledger, done, progress)
        _find_forgotten_loads(con, settings, done)
        _hold_ledger_against_raw(con, done)
        for folder in FOLDERS:
            done.copies[folder] = number(con, f'select count(*) from raw."{folder}"')
        for call in sorted(completeness.filled_tables(con, settings)):
            _verify_table(con, settings, call, done)
        done.problems += map(str, problems(con, settings))
        con.execute("rollback")


Ledger = dict[str, tuple[str, int]]
"""`<folder>/<name>` → SHA-256 and the load."""


def _ledger(con: duckdb.DuckDBPyConnection) -> Ledger:
    rows = con.execute(
        "select call || '/' || file, sha256, load_id from raw.landed_file "
        "where not (bytes = 0 and rejected < 0)"
    ).fetchall()
    return {file: (sha256, load_id) for file, sha256, load_id in rows}


def _verify_files(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    ledger: Ledger,
    done: Verified,
    progress: Progress | None,
) -> None:
    """Read every loaded and archived file, and hold its lines against the raw tables."""
    seen: set[str] = set()
    unknown: list[LandedFile] = []

    def look_at(files: Iterable[tuple[LandedFile, bytes]]) -> None:
        new = ((file, data) for file, data in files if file.key not in seen)
        for portion in portions(((one, len(one[1])) for one in new), settings.load_bytes):
            # one may come twice: a death has left it in loaded/ beside the archive
            by_key = {file.key: (file, data) for (file, data), _ in portion}
            unknown.extend(file for key, (file, _) in by_key.items() if key not in ledger)
            seen.update(by_key)
            known = [one for key, one in by_key.items() if key in ledger]
            contents = [_parse(file, data, ledger, done) for file, data in known]
            done.problems += map(_in_words, wrong_lines(con, contents))
            if progress:
                progress(len(seen), len(ledger))

    look_at(_kept_files(settings, done))
    expired = Expired(settings.landing)
    unseen = ledger.keys() - seen
    look_at(read_kept(settings.landing, unseen - expired.among(unseen)))  # moved in the meantime
    unseen = ledger.keys() - seen
    gone = expired.among(unseen)  # by now: archives may have expired while they were read
    for file in sorted(unseen):
        if file in gone:
            done.expired[file.partition("/")[0]] += 1
        else:
            done.problems.append(
                f"{file}: loaded by load {ledger[file][1]}, and neither in {LOADED}/ nor in "
                f"{ARCHIVE}/"
            )
    done.problems += _not_in_ledger_by_now(settings, unknown)


def _parse(file: LandedFile, data: bytes, ledger: Ledger, done: Verified) -> Contents:
    one = landed_file.parse(file, data)
    sha256, one.load_id = ledger[file.key]
    if one.sha256 != sha256:
        done.problems.append(f"{file.path}: not the bytes that were loaded")
    done.files[file.call] += 1
    done.lines[file.call] += len(one.lines) + len(one.rejects)
    return one


def _not_in_ledger_by_now(settings: Settings, unknown: list[LandedFile]) -> Iterator[str]:
    """Files that are where loaded files are, and were not loaded since the snapshot either."""
    if unknown:
        with connect(settings, read_only=True) as con:
            known = known_checksums(con, [file.name for file in unknown])
        for file in unknown:
            if file.name not in known:
                yield f"{file.path}: not in the ledger, though not waiting"


def _kept_files(settings: Settings, done: Verified) -> Iterator[tuple[LandedFile, bytes]]:
    for folder in FOLDERS:
        for archive in archives(settings.landing, folder):
            try:
                for name, data in read_archive(archive):
                    yield LandedFile(archive / name, folder), data
            except FileNotFoundError:
                continue  # expired meanwhile, which is noted before
            except DamagedArchiveError as damage:
                done.problems.append(str(damage))
        for path in sorted((settings.landing / LOADED / folder).glob("*.ndjson")):
            with suppress(FileNotFoundError):  # packed meanwhile: it is looked for once more
                yield LandedFile(path, folder), path.read_bytes()


def _in_words(wrong: WrongLine) -> str:
    of = f", message {wrong.message_id}" if wrong.message_id else ""
    where = f" (raw.{wrong.table})" if wrong.table else ""
    return f"{wrong.folder}/{wrong.file}, line {wrong.line}{of}: {wrong.problem}{where}"


def _find_forgotten_loads(
    con: duckdb.DuckDBPyConnection, settings: Settings, done: Verified
) -> None:
    for journaled in journal.journaled(settings.landing):
        files = {file for load in journaled for file in load.files}
        known = known_checksums(con, [_name(file) for file in files])
        unknown = [file for file in sorted(files) if _name(file) not in known]
        if unknown:  # since the snapshot it may have been loaded
            with connect(settings, read_only=True) as now:
                known = known_checksums(now, [_name(file) for file in unknown])
        done.problems += [
            f"{file}: in the journal of loads, and not in the ledger"
            for file in unknown
            if _name(file) not in known
        ]


def _name(file: str) -> str:
    return file.partition("/")[2]


def _hold_ledger_against_raw(con: duckdb.DuckDBPyConnection, done: Verified) -> None:
    """Hold the ledger's count of each file against the raw tables, also where the file is gone."""
    raw = " union all ".join(f'select file from raw."{call}"' for call in CALLS)
    for what, places in (("rows", raw), ("rejected", "select file from raw.rejected")):
        wrong = con.execute(
            f"""
            select file, coalesce(noted, 0), coalesce(found, 0)
            from (select file, sum({what}) as noted from raw.landed_file group by file)
            full join (select file, count(*) as found from ({places}) group by file) using (file)
            where coalesce(noted, 0) <> coalesce(found, 0) order by file
            """
        ).fetchall()
        done.problems += [
            f"{file}: the ledger says {noted} {what}, and the raw tables have {found}"
            for file, noted, found in wrong
        ]


def _verify_table(
    con: duckdb.DuckDBPyConnection, settings: Settings, call: str, done: Verified
) -> None:
    """Hold a final table against its raw table: ids both ways, then every value of every row."""
    table = f'"{settings.schema_name}"."{call}"'
    staged = f'"{settings.schema_name}_staging"."stg_segment__{call}"'
    done.rows[call] = number(con, f"select count(*) from {table}")
    if not done.rows[call] and not done.copies[call]:
        return  # nothing to compare, and the comparisons take 0.2 s of planning alone
    # what was loaded since the models ran is the next run's
    seen = number(
        con,
        "select coalesce(max(load_id), 0) from (select counted_load_id as load_id from "
        f"raw.completeness where call = '{call}' union all select _seamline_load_id from {table})",
    )
    checks = {
        "no row in its table": f'select distinct message_id from raw."{call}" '
        f"anti join {table} using (message_id) where load_id <= {seen}",
        "a row without a received copy": f"select message_id from {table} "
        f'anti join raw."{call}" using (message_id)',
        "more than one row": f"select message_id from {table} group by all having count(*) > 1",
        "its row is not the first received copy": f"""
            select message_id from {table} as kept join (
                select message_id, min({place("copies", columns_of(con, staged))}) as first_place
                from {staged} as copies where _seamline_load_id <= {seen} group by message_id
            ) as first_copy using (message_id)
            where {place("kept", columns_of(con, table))} <> first_place
        """,
        "its row is not what the models make of its copy": _changed_rows(con, table, staged),
    }
    for problem, query in checks.items():
        found = con.execute(f"{query} order by message_id limit {_NAMED + 1}").fetchall()
        for (message_id,) in found[:_NAMED]:
            done.problems.append(f"{call}, message {message_id}: {problem}")
        if len(found) > _NAMED:
            done.problems.append(f"{call}: more messages of this kind")


def _changed_rows(con: duckdb.DuckDBPyConnection, table: str, staged: str) -> str:
    columns = columns_of(con, table) & columns_of(con, staged)
    same = ", ".join(map(quoted, sorted(columns)))
    return f"""
        select distinct message_id from (
            select {same} from {table}
            except all
            select {same} from {staged}
        )
    """
