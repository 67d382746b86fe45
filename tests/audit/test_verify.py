"""`make verify` finds whatever is lost, doubled or changed on the way, and names it."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.audit import verify as verify_module
from orchestration.audit.verify import verify
from orchestration.loading.archive import archives_to_expire, expire, read_archive, write_archive
from orchestration.loading.load import load
from orchestration.recovery.reload import reload_rejected
from orchestration.settings import Settings
from orchestration.upkeep.archives import pack_loaded_files
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from receiver.events.check import Limits
from tests.support import landed
from tests.support.house import House
from tests.support.warehouse import reading

pytestmark = pytest.mark.timeout(600)  # the first test waits for dbt

EARLY = "20261122T050000000000Z-test-1-00000000-000001.ndjson"
LATE = "20261122T070000000000Z-test-1-00000000-000002.ndjson"
BEFORE_LATE = "20261122T065900000000Z-test-1-00000000-000002.ndjson"
NEVER_PACKED = "20991122T070000000000Z-test-1-00000000-000003.ndjson"


def event(message_id: str, hour: int = 5, **properties: object) -> bytes:
    return landed.line(
        {
            "messageId": message_id,
            "type": "track",
            "event": "E",
            "timestamp": "at noon",
            "properties": properties,
        },
        received_at=f"2026-11-22T{hour:02}:24:46.123456Z",
    )


@pytest.fixture(scope="module")
def original(built_house: House) -> House:
    """Copies, a reject, one that became an event, an archive, a file in `loaded/`; all modelled."""
    landing, settings = built_house.settings.landing, built_house.settings
    landed.land(landing, "track", event("a", x=1), b"damaged\n", event("b", x=2), name=EARLY)
    too_big = b'{"type":"track","messageId":"big","event":"E"}'
    landed.land(landing, "rejected", landed.rejected_line(too_big, reason="too_big"))
    load(settings)
    reload_rejected(settings, Limits(2**20, 128))
    pack_loaded_files(settings, datetime(2026, 11, 22, 9, tzinfo=UTC))
    tied = [event("tied", 7, x=4), event("tied", 7, x=5)]  # in one microsecond, by two processes
    landed.land(landing, "track", *[b"\n"] * 499, tied[0], name=BEFORE_LATE)
    landed.land(landing, "track", event("a", 7, x=1), event("c", 7, x=3), tied[1], name=LATE)
    load(settings)
    built_house.dbt("run", "--select", "stg_segment__track", "track")
    return built_house


@pytest.fixture
def house(original: House, tmp_path: Path) -> Settings:
    """A copy of it to damage."""
    return original.copy(tmp_path).settings


def problems(settings: Settings) -> str:
    return "\n".join(verify(settings).problems)


def archive_of(settings: Settings) -> Path:
    return settings.landing / "archive" / "track" / "20261122T05.tar.zst"


def late_file(settings: Settings) -> Path:
    return settings.landing / "loaded" / "track" / LATE


def change(settings: Settings, sql: str) -> None:
    with writer_lock(settings), connect(settings) as con:
        con.execute(sql)


def test_an_undamaged_house_is_right_with_a_line_per_call(house: Settings) -> None:
    said = list(verify(house).report())

    assert "track: 7 lines in 3 files; 7 in raw.track; 5 rows" in said
    assert "rejected: 1 lines in 1 files; 1 in raw.rejected" in said
    assert said[-1] == "Every line is where it has to be, and every message is one row."


@pytest.mark.long
def test_what_waits_or_is_loaded_and_not_moved_is_no_problem(house: Settings) -> None:
    late_file(house).rename(house.landing / "track" / LATE)
    landed.land(house.landing, "track", event("new"))

    verified = verify(house)

    assert not verified.problems
    assert verified.waiting["track"] == 2


def test_what_is_damaged_at_once_is_all_found(house: Settings) -> None:
    """One look for what the long tests damage one by one."""
    late_file(house).write_bytes(late_file(house).read_bytes().replace(b'"x": 3', b'"x": 4'))
    data = archive_of(house).read_bytes()
    archive_of(house).write_bytes(data[:80] + bytes([data[80] ^ 1]) + data[81:])
    shutil.copy(late_file(house), late_file(house).with_name(NEVER_PACKED))
    change(house, "delete from raw.rejected")
    change(house, "delete from segment.track where message_id = 'b'")
    change(house, "update segment.track set properties__x = 99 where message_id = 'c'")

    said = problems(house)

    assert f"{LATE}: not the bytes that were loaded" in said
    assert f"track/{LATE}, line 2" in said
    assert "20261122T05.tar.zst is damaged" in said
    assert f"{NEVER_PACKED}: not in the ledger, though not waiting" in said
    assert "neither in loaded/ nor in archive/" in said
    assert "the ledger says 1 rejected, and the raw tables have 0" in said
    assert "track, message b: no row in its table" in said
    assert "track, message c: its row is not what the models make of its copy" in said


@pytest.mark.long
def test_a_flipped_byte_in_a_loaded_file_is_found(house: Settings) -> None:
    data = late_file(house).read_bytes()
    late_file(house).write_bytes(data.replace(b'"x": 3', b'"x": 4'))

    said = problems(house)

    assert f"{LATE}: not the bytes that were loaded" in said
    assert f"track/{LATE}, line 2" in said


@pytest.mark.long
def test_a_flipped_byte_in_an_archive_is_found(house: Settings) -> None:
    data = archive_of(house).read_bytes()
    archive_of(house).write_bytes(data[:80] + bytes([data[80] ^ 1]) + data[81:])

    assert "20261122T05.tar.zst is damaged" in problems(house)


@pytest.mark.long
def test_an_archive_that_was_packed_again_without_a_line_is_found(house: Settings) -> None:
    from hashlib import sha256  # noqa: PLC0415

    files = {
        name: data.replace(event("b", x=2), b"") for name, data in read_archive(archive_of(house))
    }
    write_archive(
        archive_of(house),
        files.items(),
        {name: sha256(data).hexdigest() for name, data in files.items()},
    )

    said = problems(house)

    assert f"{EARLY}: not the bytes that were loaded" in said
    assert f"track/{EARLY}, line 3, message b: not in the file" in said


@pytest.mark.long
def test_a_file_that_is_gone_is_found(house: Settings) -> None:
    late_file(house).unlink()

    assert f"track/{LATE}: loaded by load 3, and neither in loaded/ nor in archive/" in problems(
        house
    )


@pytest.mark.long
def test_a_file_that_was_never_loaded_is_found(house: Settings) -> None:
    shutil.copy(late_file(house), late_file(house).with_name(NEVER_PACKED))

    assert f"{NEVER_PACKED}: not in the ledger, though not waiting" in problems(house)


@pytest.mark.long
def test_a_file_that_is_in_loaded_and_in_an_archive_is_no_problem(house: Settings) -> None:
    ((name, data),) = read_archive(archive_of(house))
    (house.landing / "loaded" / "track" / name).write_bytes(data)

    assert not problems(house)


CHANGES = [
    (
        "delete from raw.track where message_id = 'c'",
        f"track/{LATE}, line 2, message c: not in the raw tables",
    ),
    (
        "insert into raw.track from raw.track where message_id = 'c'",
        "line 2, message c: more than once in the raw tables (raw.track)",
    ),
    (
        """update raw.track set payload = '{"messageId": "c"}' where message_id = 'c'""",
        f"track/{LATE}, line 2, message c: not the same (raw.track)",
    ),
    (
        "update raw.track set source = 'other' where message_id = 'c'",
        "message c: not the same (raw.track)",
    ),
    ("delete from raw.rejected", f"track/{EARLY}, line 2: not in the raw tables"),
    (
        "delete from raw.track where message_id = 'big'",
        "line 1: not in the raw tables",
    ),
    ("delete from raw.landed_file", "not in the ledger, though not waiting"),
    (
        "delete from segment.track where message_id = 'b'",
        "track, message b: no row in its table",
    ),
    (
        "insert into segment.track from segment.track where message_id = 'b'",
        "track, message b: more than one row",
    ),
    (
        "update segment.track set message_id = 'z' where message_id = 'b'",
        "track, message z: a row without a received copy",
    ),
    (
        "update segment.track set properties__x = 99 where message_id = 'b'",
        "track, message b: its row is not what the models make of its copy",
    ),
    (
        f"update segment.track set _seamline_file = '{LATE}' where message_id = 'a'",
        "track, message a: its row is not the first received copy",
    ),
]


@pytest.mark.long
@pytest.mark.parametrize(("sql", "said"), CHANGES)
def test_a_change_in_the_warehouse_is_found_and_named(house: Settings, sql: str, said: str) -> None:
    change(house, sql)

    assert said in problems(house)


@pytest.mark.long
def test_a_load_that_the_warehouse_has_forgotten_is_found(house: Settings) -> None:
    change(house, "delete from raw.landed_file where load_id = 3")

    assert f"track/{LATE}: in the journal of loads, and not in the ledger" in problems(house)


def test_a_damaged_parquet_file_is_found(house: Settings) -> None:
    with reading(house) as con:
        ((path,), *_) = con.execute(
            "select data_file from ducklake_list_files('seamline', 'track', schema => 'raw')"
        ).fetchall()
    # the list has paths of the house it was copied from
    file = house.data / Path(path).relative_to(Path(path).parents[2])
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 0xFF
    file.write_bytes(data)

    assert problems(house)


def test_an_archive_that_expires_while_it_is_verified_is_no_problem(
    house: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = verify_module.archives

    def expired_once_listed(landing: Path, call: str) -> list[Path]:
        found = listed(landing, call)
        for one, path in archives_to_expire(landing, datetime(2099, 1, 1, tzinfo=UTC)):
            expire(landing, one, path, lambda *_: ())
        return found

    monkeypatch.setattr(verify_module, "archives", expired_once_listed)

    verified = verify(house)

    assert verified.problems == []
    assert verified.expired["track"] == 1


def test_what_an_earlier_version_noted_as_expired_is_no_problem(house: Settings) -> None:
    archive_of(house).unlink()
    noted = {"archive": "track/x", "files": [EARLY], "expired_at": "2026-11-28T00:00:00Z"}
    file = house.landing / "archive" / "expired.ndjson"
    file.write_text(f"{json.dumps(noted)}\n")

    verified = verify(house)

    assert verified.problems == []
    assert verified.expired["track"] == 1


def test_an_archive_that_expires_damaged_leaves_no_file_missing(house: Settings) -> None:
    archive = archive_of(house)
    archive.write_bytes(archive.read_bytes()[:10])
    short = house.model_copy(update={"archive_days": 1.0})

    pack_loaded_files(short, datetime(2026, 11, 23, 6, 30, tzinfo=UTC))

    assert not archive.exists()
    verified = verify(house)
    assert verified.problems == []
    assert verified.expired["track"] == 1
