"""The final tables as Parquet files by day, in a folder."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.export import parquet
from orchestration.export.changes import Exported
from orchestration.export.errors import ExportBusyError, ExportFailedError
from orchestration.export.places import Folder
from orchestration.export.run import export_parquet
from orchestration.settings import Settings
from orchestration.upkeep.parquet_files import rewrite_small_files
from tests.export.support import NOTHING, Done, Exports, Row, event, rows_of
from tests.support import landed
from tests.support.house import House


class Folders(Exports):
    """A house, and a folder to which it exports."""

    def __init__(self, house: House) -> None:
        """Export nothing yet."""
        self.house = house
        self.folder = house.folder / "exports"
        self.settings = Settings(**house.settings.model_dump() | {"export_parquet": self.folder})

    def export(self) -> Done:
        """Bring the files up to date; return what that did."""
        done = dict(export_parquet(self.settings, ["track"]))["track"]
        assert done.total == len(self.house.rows("from segment.track"))
        return Done(done.rows, done.parts, done.gone)

    def exported(self) -> list[Row]:
        """Every row of the files, as another tool reads them."""
        files = f"{self.folder}/track/*/*.parquet"
        with duckdb.connect() as con:
            found = con.execute(
                f"from read_parquet('{files}', union_by_name = true, hive_partitioning = false)"
                " order by message_id"
            )
            return rows_of([name for name, *_ in found.description or ()], found.fetchall())

    def days(self) -> dict[str, int]:
        """The files, by their day, each with what is another once it is written anew."""
        files = self.folder.glob("track/*/rows.parquet")
        return {file.parent.name.partition("=")[2]: file.stat().st_ino for file in files}


@pytest.fixture
def exports(own_house: House, prepared_house: Path) -> Folders:
    """A house whose models are made, and that is empty."""
    return Folders(own_house.move_in(prepared_house))


@pytest.fixture
def filled(own_house: House, filled_house: Path) -> Folders:
    """A house with four rows of two days."""
    return Folders(own_house.move_in(filled_house))


def test_a_day_has_one_file_with_the_rows_of_the_table(filled: Folders) -> None:
    assert filled.export() == Done(rows=4, parts=2)

    assert filled.days().keys() == {"2026-11-20", "2026-11-21"}
    assert filled.exported() == filled.table()
    assert filled.export() == NOTHING


@pytest.mark.long
def test_only_the_days_in_which_something_is_new_are_written(exports: Folders) -> None:
    exports.load(event("a", 20), event("b", 21))
    exports.export()
    before = exports.days()

    exports.load(event("c", 21, new="column"), event("a", 22))

    assert exports.export() == Done(rows=2, parts=1)
    after = exports.days()
    assert after["2026-11-20"] == before["2026-11-20"]
    assert after["2026-11-21"] != before["2026-11-21"]
    assert exports.exported() == exports.table()


@pytest.mark.long
def test_a_row_whose_first_copy_comes_late_is_in_the_day_of_that_one_alone(
    exports: Folders,
) -> None:
    exports.load(event("a", 20), event("b", 22))
    exports.export()

    exports.load(event("b", 21))

    assert exports.export() == Done(rows=1, parts=1, gone=1)
    assert exports.days().keys() == {"2026-11-20", "2026-11-21"}
    assert exports.exported() == exports.table()


def test_who_was_erased_is_in_no_file(filled: Folders) -> None:
    filled.export()
    assert "gone-55aa" in str(filled.exported())

    filled.house.run("forget", "--user-id=gone-55aa", "--no-suppress")

    assert filled.export() == Done(rows=2, parts=1)
    assert filled.exported() == filled.table()
    assert all(
        b"gone-55aa" not in file.read_bytes() for file in filled.folder.rglob("*") if file.is_file()
    )


@pytest.mark.long
def test_upkeep_changes_no_file(exports: Folders) -> None:
    for number in range(3):
        exports.load(event(f"a{number}", 20))
        exports.export()
    before = exports.days()

    assert rewrite_small_files(exports.settings).rewrites

    assert exports.export() == NOTHING
    assert exports.days() == before


def test_a_column_that_becomes_double_has_the_days_written_that_have_a_value_in_it(
    exports: Folders,
) -> None:
    exports.put("one", 5, price=("bigint", 2))
    exports.run(
        "insert into segment.track (message_id, _sdc_received_at) "
        "select day, timestamp '2026-10-31 10:00:00' + to_days(day::int) "
        "from range(1, 21) as days (day)"
    )
    exports.export()
    before = exports.days()

    exports.run("alter table segment.track alter column price type double")
    exports.put("half", 6, price=("double", 1.5))

    assert exports.export() == Done(rows=4, parts=2)
    after = exports.days()
    written = {day for day in after if after[day] != before[day]}
    assert written == {"2026-11-05", "2026-11-06"}
    assert exports.exported() == exports.table()
    assert exports.export() == NOTHING


def test_a_new_column_has_one_day_written_whatever_upkeep_does(exports: Folders) -> None:
    for day in range(1, 4):
        exports.put(f"{day}", day)
    exports.export()

    exports.put("new", 3, new=("bigint", 1))
    assert rewrite_small_files(exports.settings).rewrites

    assert exports.export() == Done(rows=2, parts=1)
    assert exports.exported() == exports.table()


def test_no_two_files_have_a_column_of_different_types(exports: Folders) -> None:
    """Most readers take a column that a file lacks, and few one of another type."""
    exports.put("a", 1, price=("bigint", 1))
    exports.put("b", 2, other=("varchar", "x"))
    exports.put("c", 3, price=("bigint", 3))
    exports.export()
    exports.run("alter table segment.track alter column price type double")
    exports.put("d", 4, price=("double", 1.5))

    assert exports.export() == Done(rows=3, parts=3)

    with duckdb.connect() as con:
        found = con.execute(
            "select distinct name, type from parquet_schema($1) where type is not null",
            [f"{exports.folder}/track/*/rows.parquet"],
        ).fetchall()
    types = dict(found)
    assert len(types) == len(found)
    assert types["price"] == "DOUBLE"
    assert "user_id" in types
    assert exports.exported() == exports.table()


def test_no_field_hides_the_day_of_a_file(exports: Folders) -> None:
    exports.put("a", 20, received_date=("varchar", "sent"), price=("bigint", 1))

    exports.export()

    files = f"{exports.folder}/track/*/rows.parquet"
    with duckdb.connect() as con:
        days = con.execute(
            "select received_date, received_date_, price "
            "from read_parquet($1, hive_partitioning = true, union_by_name = true) "
            "where received_date >= '2026-11-20'",
            [files],
        ).fetchall()
        named = con.execute("select name from parquet_schema($1)", [files]).fetchall()
    assert days == [(date(2026, 11, 20), "sent", 1)]
    assert ("received_date",) not in named


def test_the_values_of_a_row_are_told_apart(exports: Folders) -> None:
    """Values that change places, between columns or rows, are others: a day for each change."""
    exports.put("as it is", 20, one=("bigint", 1), two=("bigint", 2), three=("double", 0.5))
    changes = (
        "set one = 2, two = 1 where message_id = 'a1'",
        "set one = if(message_id = 'a2', 3, 1) where message_id in ('a2', 'b2')",
        "set two = null where message_id = 'a3'",
        "set three = 1e300 where message_id = 'b4'",
        "set three = -0.5 where message_id = 'a5'",
        "set one = 9007199254740993 where message_id = 'b6'",
        "set one = 9007199254740992 where message_id = 'b7'",
    )
    exports.run(
        "insert into segment.track (message_id, _sdc_received_at, one, two, three) "
        "select who || day, timestamp '2026-10-31 10:00:00' + to_days(day::int), "
        "case when who = 'a' then 1 when day = 7 then 9007199254740993 else 3 end, "
        "if(who = 'a', 2, null), if(who = 'a', 0.5, null) "
        "from range(1, 8) as days (day), (values ('a'), ('b')) as rows (who)"
    )
    exports.export()
    before = exports.days()

    for change in changes:
        exports.run(f"update segment.track {change}")

    assert exports.export() == Done(rows=2 * len(changes), parts=len(changes))
    after = exports.days()
    assert [day for day in after if after[day] == before[day]] == ["2026-11-20"]
    assert exports.exported() == exports.table()


@pytest.mark.long
def test_a_table_that_was_built_anew_is_written_where_its_rows_are_others(
    exports: Folders,
) -> None:
    exports.load(event("a", 20, price=1), event("b", 21, note="x"))
    exports.export()
    (exports.house.folder / "columns.yml").write_text(
        "fields:\n- path: properties.note\n  leave_out: true\n"
    )

    exports.house.run("replay", "--table", "track")

    assert "properties__note" not in exports.table()[1]
    exports.export()
    assert exports.exported() == exports.table()


@pytest.mark.long
def test_a_warehouse_that_was_made_again_has_the_same_files(exports: Folders) -> None:
    exports.load(event("a", 20), event("b", 21))
    exports.export()
    exports.house.run("rebuild")

    exports.export()

    assert exports.exported() == exports.table()
    assert exports.export() == NOTHING


class DiesError(Exception):
    """The process dies here."""


class Mortal(Folder):
    """A folder whose process dies at its nth change, before it or behind it."""

    def __init__(self, path: Path, changes: int, *, is_done: bool) -> None:
        """Count from here."""
        super().__init__(path)
        self.left = changes
        self.is_done = is_done

    def _change(self, change: Any, *arguments: Any) -> None:
        self.left -= 1
        if self.left < 0 and not self.is_done:
            raise DiesError
        change(*arguments)
        if self.left < 0:
            raise DiesError

    def write(self, name: str, data: bytes) -> None:
        """Die, or write."""
        self._change(super().write, name, data)

    def fill(self, name: str, make: Any) -> None:
        """Die, or write."""
        self._change(super().fill, name, make)

    def remove(self, name: str) -> None:
        """Die, or remove."""
        self._change(super().remove, name)


@pytest.mark.long
@pytest.mark.parametrize("is_done", [False, True])
def test_a_death_at_any_change_leaves_whole_files_and_the_next_export_does_the_rest(
    exports: Folders, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    exports.load(event("a", 20), event("b", 22))
    exports.export()
    exports.load(event("b", 21), event("c", 20), event("d", 23))
    before = exports.folder.rename(exports.folder.with_name("before"))
    deaths = 0
    while True:
        shutil.rmtree(exports.folder, ignore_errors=True)
        shutil.copytree(before, exports.folder)
        with monkeypatch.context() as patched:
            mortal = Mortal(exports.folder, deaths, is_done=is_done)
            patched.setattr("orchestration.export.run.place_of", lambda *_, m=mortal: m)
            try:
                exports.export()
            except DiesError:
                deaths += 1
            else:
                break
        assert exports.exported()
        exports.export()
        assert exports.exported() == exports.table()
        assert exports.export() == NOTHING
    assert deaths >= 5


@pytest.mark.long
def test_a_day_that_was_written_by_an_export_that_died_goes_with_its_last_row(
    exports: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports.load(
        landed.line({"event": "E", "userId": "gone-55aa"}, message_id="x",
                    received_at="2026-11-19T10:00:00.000000Z"),
        event("a", 20),
    )  # fmt: skip
    with monkeypatch.context() as patched:
        mortal = Mortal(exports.folder, 2, is_done=False)
        patched.setattr("orchestration.export.run.place_of", lambda *_: mortal)
        with pytest.raises(DiesError):
            exports.export()
    assert exports.days().keys() == {"2026-11-19", "2026-11-20"}
    exports.house.run("forget", "--user-id=gone-55aa")

    exports.export()

    assert exports.days().keys() == {"2026-11-20"}
    assert exports.exported() == exports.table()


@pytest.mark.long
def test_a_file_that_somebody_removed_is_written_again(exports: Folders) -> None:
    exports.load(event("a", 20), event("b", 21))
    exports.export()
    shutil.rmtree(exports.folder / "track/received_date=2026-11-20")

    assert exports.export() == Done(rows=1, parts=1)
    assert exports.exported() == exports.table()


@pytest.mark.long
def test_one_table_whose_folder_is_none_keeps_no_other_from_being_exported(
    exports: Folders,
) -> None:
    exports.load(event("a", 20))
    exports.folder.mkdir()
    (exports.folder / "alias").write_text("no folder")

    with pytest.raises(ExportFailedError, match=r"^Not exported: alias\. "):
        list(export_parquet(exports.settings))

    assert exports.days().keys() == {"2026-11-20"}


@pytest.mark.long
def test_what_a_killed_process_had_begun_is_no_parquet_file(exports: Folders) -> None:
    exports.load(event("a", 20))
    exports.export()

    with pytest.raises(DiesError):
        Folder(exports.folder).fill("track/received_date=2026-11-20/rows.parquet", _begin_and_die)

    assert exports.exported() == exports.table()
    assert exports.export() == NOTHING
    assert not list(exports.folder.rglob(".*"))


def _begin_and_die(path: Path) -> None:
    path.write_bytes(b"PAR1")
    raise DiesError


@pytest.mark.long
def test_without_a_note_that_can_be_read_all_is_written_again(exports: Folders) -> None:
    exports.load(event("a", 20), event("b", 21))
    exports.export()
    (exports.folder / "track/_seamline.json").write_bytes(b"{\xff")

    assert exports.export() == Done(rows=2, parts=2)

    assert exports.exported() == exports.table()
    assert exports.export() == NOTHING


def test_two_exports_do_not_meet(exports: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []

    def export_meanwhile(*_: object) -> Exported:
        with pytest.raises(ExportBusyError, match="Nothing was done"):
            list(export_parquet(exports.settings))
        refused.append(True)
        return Exported()

    monkeypatch.setattr(parquet, "export", export_meanwhile)

    list(export_parquet(exports.settings, ["track"]))

    assert refused


def test_the_command_says_what_it_did(filled: Folders, tmp_path: Path) -> None:
    said = filled.house.run("export", "--parquet", str(tmp_path / "there"), "--table", "track")
    again = filled.house.run("export", "--parquet", str(tmp_path / "there"), "--table", "track")

    assert said == "parquet/track: 4 rows in 2 parts written\n"
    assert again == "parquet/track: nothing has changed\n"
    state = json.loads((tmp_path / "there/track/_seamline.json").read_text())
    assert list(state["parts"]) == ["2026-11-20T00:00:00", "2026-11-21T00:00:00"]


def test_the_command_says_that_it_knows_no_place(exports: Folders) -> None:
    status, said = exports.house.try_run("export")
    assert status == 2
    assert "SEAMLINE_EXPORT_PARQUET" in said


def test_what_cannot_be_exported_to_keeps_no_other_export_waiting(exports: Folders) -> None:
    exports.folder.write_text("no folder")
    raw = exports.house.folder / "raw-tables"
    exports.house.environment["SEAMLINE_EXPORT_PARQUET"] = str(exports.folder)
    exports.house.environment["SEAMLINE_EXPORT_RAW"] = str(raw)

    status, said = exports.house.try_run("export")

    assert status == 1
    assert f"{exports.folder} cannot be used" in said
    assert "raw/track: " in said
    assert (raw / "columns/exported/rows.parquet").is_file()


@pytest.mark.parametrize("place", ["s3://key@bucket/exports", "ftp://there", "s3://"])
def test_the_command_refuses_what_is_no_place(exports: Folders, place: str) -> None:
    status, said = exports.house.try_run("export", "--parquet", place)
    assert status == 1
    assert "SEAMLINE_EXPORT_PARQUET" in said
    assert "bucket" in said


@pytest.mark.long
def test_a_day_is_one_of_receipt_in_utc(exports: Folders) -> None:
    late = datetime(2026, 11, 20, 23, 59, 59, 999999, tzinfo=UTC)
    for number, at in enumerate((late, late + timedelta(microseconds=1))):
        stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        exports.load(landed.line({"event": "E"}, message_id=f"{number}", received_at=stamp))

    exports.export()

    assert exports.days().keys() == {"2026-11-20", "2026-11-21"}
