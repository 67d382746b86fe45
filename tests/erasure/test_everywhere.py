"""After an erasure nothing on the disk holds the id, and nothing of anybody else has changed."""

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestration.erasure.erase import Erased, forget
from orchestration.loading import journal as loads
from orchestration.loading.archive import archives, read_archive
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id
from orchestration.warehouse.connection import connect
from orchestration.warehouse.file_statistics import thin_statistics
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House
from tests.support.person import (
    ALICE,
    ALICE_DEVICE,
    NUMBER,
    WHO,
    found_in_house,
    quick_house,
    track,
)
from tests.support.postgres import put_aside

IDS = (ALICE, ALICE_DEVICE, str(NUMBER))


@dataclass
class Aftermath:
    """A house before and after."""

    house: House
    before: dict[str, set[tuple[Any, ...]]]
    after: dict[str, set[tuple[Any, ...]]]
    done: Erased


@pytest.fixture(scope="module")
def aftermath(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    house = quick_house(tmp_path_factory.mktemp("aftermath") / "house").move_in(template)
    put_aside(house.settings)
    with writer_lock(house.settings), connect(house.settings) as con:  # as behind a pass
        assert thin_statistics(con, ("raw", house.settings.schema_name))
    listed = next((house.settings.data / "raw" / "track").glob("*.parquet"))
    shutil.copy(listed, listed.with_name("ducklake-00000000-0000-7000-8000-000000000000.parquet"))
    (house.landing / "track" / ".a.ndjson.new").write_bytes(ALICE.encode())
    before = house.hashes()
    holding = found_in_house(house, *IDS)
    kinds = {where.split(": ")[1] for where in holding if ": " in where}
    assert kinds == {"bytes", "values", "archive", "bodies"}
    done = forget(house.settings, WHO)
    return Aftermath(house, before, house.hashes(), done)


def test_no_byte_on_the_disk_holds_an_id(aftermath: Aftermath) -> None:
    assert found_in_house(aftermath.house, *IDS) == []


def test_the_rows_of_others_are_the_same(aftermath: Aftermath) -> None:
    assert {t: len(rows) for t, rows in aftermath.after.items()} == {
        "segment.alias": 0,
        "segment.group": 1,
        "segment.identify": 1,
        "segment.page": 3,
        "segment.screen": 0,
        "segment.track": 7,
        "raw.group": 1,
        "raw.identify": 1,
        "raw.page": 3,
        "raw.screen": 0,
        "raw.track": 8,
        "raw.alias": 0,
        "raw.delete": 0,
        "raw.rejected": 1,
    }
    for table, rows in aftermath.after.items():
        new = {row[0] for row in rows - aftermath.before[table]}
        assert new == ({"shared", "tied"} if table == "segment.track" else set()), table


def test_of_a_message_id_that_two_people_share_the_others_copy_is_the_row(
    aftermath: Aftermath,
) -> None:
    rows = aftermath.house.rows(
        "select user_id, properties__price, properties__secret from segment.track "
        "where message_id = 'shared'"
    )

    assert rows == [("carl", 4, None)]


def test_where_others_copies_came_in_one_microsecond_the_row_is_the_one_the_models_take(
    aftermath: Aftermath,
) -> None:
    rows = aftermath.house.rows(
        "select user_id, properties__price from segment.track where message_id = 'tied'"
    )

    assert rows == [("bob", 8)]


def test_everything_is_still_proved(aftermath: Aftermath) -> None:
    assert aftermath.house.problems() == []


def test_the_ledger_and_the_journal_know_what_the_files_are_now(aftermath: Aftermath) -> None:
    landing = aftermath.house.landing
    files = {
        f"{path.parent.name}/{path.name}": path.read_bytes()
        for path in (landing / "loaded").rglob("*.ndjson")
    }
    for call in ("track", "page"):
        for packed in archives(landing, call):
            files |= {f"{call}/{name}": data for name, data in read_archive(packed)}
    now = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    ledger = aftermath.house.rows("select call || '/' || file, sha256 from raw.landed_file")
    journal: dict[str, str] = {}
    for part in loads.journaled(landing):
        for one in part:
            journal |= one.files

    assert dict(ledger) == now
    assert journal == now


def test_an_erased_line_is_an_empty_one(aftermath: Aftermath) -> None:
    (path,) = (aftermath.house.landing / "loaded" / "identify").glob("*.ndjson")

    first, second, third, rest = path.read_bytes().split(b"\n")

    assert (first, third, rest) == (b"", b"", b"")
    assert json.loads(second)["payload"]["userId"] == "bob"


def test_the_record_holds_a_hash_and_no_id(aftermath: Aftermath) -> None:
    rows = aftermath.house.rows("select kind, length(hash), lines, files from raw.erasure")
    listed = (aftermath.house.landing / "suppressed" / "list.ndjson").read_text().splitlines()

    assert sorted(rows) == [("anonymous", 64, 3, 3), ("user", 64, 2, 2), ("user", 64, 17, 11)]
    assert {json.loads(line)["done_at"] is None for line in listed} == {False}


def test_older_catalogs_are_removed_and_named(aftermath: Aftermath) -> None:
    (aside,) = aftermath.done.catalogs
    named = r"catalog.sqlite.before-20261101t000000z|h_\w+_before_20261101t000000_000000z"
    assert re.fullmatch(named, aside.lower())


def test_the_past_is_gone(aftermath: Aftermath) -> None:
    assert aftermath.house.rows("select count(*) from ducklake_snapshots('seamline')") == [(1,)]


@pytest.mark.long
def test_what_others_say_of_a_person_stays_and_is_named(house: House) -> None:
    ((dora,),) = house.rows(
        "select message_id from raw.track where payload ->> '$.userId' = 'dora'"
    )

    done = forget(house.settings, {Id(USER, "erna-90e1")})

    assert [(one.call, one.events, one.message_ids) for one in done.mentions] == [
        ("track", 1, [dora])
    ]
    assert house.rows("select user_id from segment.track where user_id in ('dora', 'erna-90e1')")
    assert done.lines == 1


@pytest.mark.long
def test_to_erase_whoever_is_nowhere_changes_nothing(empty: House) -> None:
    landed.land(empty.landing, "track", landed.line(track(ALICE)), landed.line(track("bob")))
    load(empty.settings)
    before = empty.rows("select *, hash(t) from raw.track t"), empty.rows("from raw.landed_file")

    done = forget(empty.settings, {Id(USER, "nobody")})

    assert (done.lines, done.files) == (0, 0)
    after = empty.rows("select *, hash(t) from raw.track t"), empty.rows("from raw.landed_file")
    assert after == before


@pytest.mark.long
def test_a_copy_that_the_models_have_not_seen_is_left_to_them_with_its_whole_load(
    house: House,
) -> None:
    ((shared,),) = house.rows(
        f"select message_id from segment.track where user_id = '{ALICE}' and properties__price = 3"
    )
    landed.land(
        house.landing,
        "track",
        landed.line(track("carl", shared), received_at="2026-11-22T07:00:00.000001Z"),
        landed.line(track("carl", "of the same load"), received_at="2026-11-22T07:00:00.000002Z"),
        name="20261122T07-l-1-a-1.ndjson",
    )
    load(house.settings)

    forget(house.settings, WHO)
    house.models("track")

    assert house.rows(
        "select message_id, user_id from segment.track "
        f"where message_id in ('{shared}', 'of the same load') order by all"
    ) == sorted([(shared, "carl"), ("of the same load", "carl")])
    assert house.problems() == []
