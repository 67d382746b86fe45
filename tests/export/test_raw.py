"""The raw tables as Parquet files, for models that run elsewhere."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.export.run import export_raw
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import WITH_TABLE
from orchestration.warehouse.writer_lock import writer_lock
from tests.export.support import NOTHING, Done, event
from tests.export.test_parquet import DiesError, Mortal
from tests.support import landed
from tests.support.house import House


class RawTables:
    """A house, and the folder to which it exports its raw tables."""

    def __init__(self, house: House) -> None:
        """Export nothing yet."""
        self.house = house
        self.folder = house.folder / "raw-tables"
        self.settings = Settings(**house.settings.model_dump() | {"export_raw": self.folder})

    def load(self, *lines: bytes, is_modelled: bool = True) -> None:
        """Load events."""
        self.house.land("track", *lines)
        self.house.load()
        if is_modelled:
            self.house.models("track")

    def export(self) -> dict[str, Done]:
        """Bring the files up to date; return what that did with each table."""
        done = dict(export_raw(self.settings))
        return {table: Done(one.rows, one.parts, one.gone) for table, one in done.items()}

    def copies(self) -> list[tuple[Any, ...]]:
        """Where each copy of a track call is from, as another tool reads the files."""
        return self._read("file, line, load_id", "raw/track/*.parquet")

    def in_warehouse(self) -> list[tuple[Any, ...]]:
        """The same of the raw table."""
        return self.house.rows("select file, line, load_id from raw.track order by all")

    def exported(self) -> dict[str, tuple[int, str]]:
        """Up to which load each call is there, and what its rows are made by."""
        rows = self._read("call, load_id, made_by", "columns/exported/rows.parquet")
        return {call: (load, made_by) for call, load, made_by in rows}

    def days(self) -> set[str]:
        """The days that track calls have a file of."""
        return {file.stem for file in self.folder.glob("raw/track/2*.parquet")}

    def run(self, statement: str) -> None:
        """Change the warehouse."""
        with writer_lock(self.house.settings), connect(self.house.settings) as con:
            con.execute(statement)

    def _read(self, columns: str, files: str) -> list[tuple[Any, ...]]:
        with duckdb.connect() as con:  # one that knows no file yet
            return con.execute(
                f"select {columns} from read_parquet('{self.folder}/{files}') order by all"
            ).fetchall()


@pytest.fixture
def raw(own_house: House, prepared_house: Path) -> RawTables:
    """A house whose models are made, and that is empty."""
    return RawTables(own_house.move_in(prepared_house))


@pytest.fixture
def filled(own_house: House, filled_house: Path) -> RawTables:
    """A house with four messages of two days, one of which came twice."""
    return RawTables(own_house.move_in(filled_house))


def test_each_copy_is_in_the_file_of_its_day_and_only_days_with_something_new_are_written(
    filled: RawTables,
) -> None:
    done = filled.export()

    assert done["track"] == Done(rows=5, parts=2)
    assert filled.days() == {"2026-11-20", "2026-11-21"}
    assert filled.copies() == filled.in_warehouse()
    assert filled.export() == dict.fromkeys(done, NOTHING)

    filled.load(event("d", 21), is_modelled=False)

    assert filled.export()["track"] == Done(rows=3, parts=1)
    assert filled.copies() == filled.in_warehouse()


def test_a_call_of_which_nothing_came_has_its_columns(raw: RawTables) -> None:
    raw.export()

    for call in WITH_TABLE:
        found = duckdb.execute(f"from read_parquet('{raw.folder}/raw/{call}/*.parquet')")
        columns = {name for name, *_ in found.description or ()}
        assert {"message_id", "received_at", "payload", "load_id", "file", "line"} <= columns
        assert found.fetchall() == []


def test_a_number_has_the_digits_with_which_duckdb_writes_it(filled: RawTables) -> None:
    filled.export()

    read = filled._read("payload", "raw/track/*.parquet")  # noqa: SLF001
    (text,) = [text for (text,) in read if '"c"' in text]
    assert text.endswith('"x":[1.5,100.0]}')
    assert json.loads(text)["x"] == [1.50, 1e2]


@pytest.mark.long
def test_loads_are_shown_once_the_table_has_had_them(raw: RawTables) -> None:
    """Their fields have no columns before, and rows are not made again for these."""
    raw.load(event("a", 20))
    raw.export()
    assert raw.exported()["track"][0] == 1
    assert raw.exported()["page"][0] == 0

    raw.load(event("b", 20), is_modelled=False)
    raw.export()
    assert raw.exported()["track"][0] == 1

    raw.house.models("track")
    raw.export()
    assert raw.exported()["track"][0] == 2


@pytest.mark.long
def test_who_is_erased_is_gone_and_rows_are_to_be_made_again(raw: RawTables) -> None:
    raw.load(
        landed.line(
            {"event": "E", "userId": "gone-55aa"},
            message_id="x",
            received_at="2026-11-19T10:00:00.000000Z",
        ),
        event("a", 20),
    )
    raw.export()
    before = raw.exported()["track"]

    raw.house.run("forget", "--user-id=gone-55aa")
    raw.export()

    assert raw.days() == {"2026-11-20"}
    files = [file for file in raw.folder.rglob("*") if file.is_file()]
    assert not [file for file in files if b"gone-55aa" in file.read_bytes()]
    assert raw.exported()["track"][1] != before[1]


def test_when_all_was_made_again_counts_and_not_only_how_often(raw: RawTables) -> None:
    """A second rebuild leaves as many rows as the first; so may one with an erasure."""
    noted = {"restored": "restored_at", "erasure": "erased_at", "repair": "repaired_at"}
    for table, column in noted.items():
        raw.run(f"insert into raw.{table} by name select timestamp '2026-11-28' as {column}")
    raw.export()
    seen = [raw.exported()["track"][1]]

    for table, column in noted.items():
        raw.run(f"update raw.{table} set {column} = timestamp '2026-11-28 10:00:00'")
        raw.export()
        seen.append(raw.exported()["track"][1])

    assert len(set(seen)) == len(seen)


@pytest.mark.long
def test_each_rebuild_and_each_erasure_has_rows_made_again(raw: RawTables) -> None:
    people = ["gone-55aa", "gone-66bb"]
    raw.load(
        *(landed.line({"event": "E", "userId": one}, message_id=one) for one in people),
        event("a", 20),
    )
    steps: list[Callable[[], object]] = [
        lambda: raw.house.run("forget", "--user-id=gone-55aa"),
        lambda: raw.house.run("rebuild"),
        lambda: raw.house.run("rebuild"),
        lambda: raw.house.run("forget", "--user-id=gone-66bb"),
    ]
    raw.export()
    seen = [raw.exported()["track"][1]]
    for step in steps:
        step()
        raw.export()
        seen.append(raw.exported()["track"][1])

    assert len(set(seen)) == len(seen)


class Told(Mortal):
    """One that notes what it was told to change."""

    def __init__(self, path: Path, changes: int, *, is_done: bool) -> None:
        """Have been told nothing."""
        super().__init__(path, changes, is_done=is_done)
        self.told: list[str] = []

    def _change(self, change: Any, *arguments: Any) -> None:
        self.told.append(arguments[0])
        super()._change(change, *arguments)


@pytest.mark.long
@pytest.mark.parametrize("is_done", [False, True])
def test_an_export_that_died_anywhere_is_done_by_the_next(
    raw: RawTables, monkeypatch: pytest.MonkeyPatch, *, is_done: bool
) -> None:
    raw.load(event("a", 20))
    raw.export()
    (raw.house.folder / "columns.yml").write_text(
        "fields:\n- path: properties.note\n  leave_out: true\n"
    )
    raw.load(event("b", 20), event("c", 21, price=1))
    before = raw.folder.rename(raw.folder.with_name("before"))
    died_at: list[str] = []
    while True:
        shutil.rmtree(raw.folder, ignore_errors=True)
        shutil.copytree(before, raw.folder)
        with monkeypatch.context() as patched:
            mortal = Told(raw.folder, len(died_at), is_done=is_done)
            patched.setattr("orchestration.export.run.place_of", lambda *_, m=mortal: m)
            try:
                raw.export()
            except DiesError:
                died_at.append(mortal.told[-1].rpartition("/")[0])
            else:
                break
        # what is not whole yet is not shown
        shown = raw.exported()["track"][0]
        assert [one for one in raw.copies() if one[2] <= shown] == [
            one for one in raw.in_warehouse() if one[2] <= shown
        ]
        raw.export()
        assert raw.copies() == raw.in_warehouse()
        assert raw.exported()["track"][0] == 2
    assert set(raw.export().values()) == {NOTHING}
    small = {"columns/placement", "columns/rules", "columns/exported"}
    assert {"raw/track", "raw/landed_file"} | small <= set(died_at)
