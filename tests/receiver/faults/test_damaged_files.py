"""F17, F18, F19, F39: files that were cut, flipped, filled with NULs, or of another version."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.loading.landed_file import Contents, LandedFile, read
from receiver.files.envelope import good_line
from receiver.files.recovery import recover
from tests.support import landed
from tests.support.faults.driver import judge, make_events, post_events
from tests.support.receiver.app import AppReceiver

MakeApp = Callable[..., AppReceiver]

NAME = "20261122T052446123456Z-test-1-00000000-000001.ndjson"
LINES = [
    good_line(f"id-{number}", "2026-11-22T00:00:00.000000Z", None, "web", b'{"n":[1,"x y"]}')
    for number in range(10)
]
WHOLE = b"".join(LINES)
IDS = [f"id-{number}" for number in range(10)]


def ids(contents: Contents) -> list[str]:
    return [one.message_id for one in contents.lines]


def sealed(folder: Path, data: bytes) -> Contents:
    """Read a sealed file with that in it, as the loader does."""
    return read(LandedFile(landed.land(folder, "track", data, name=NAME), "track"))


def orphan(folder: Path, data: bytes) -> Path:
    """Leave a file as a process that died would."""
    path = folder / "track" / f"{NAME}.open"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def recovered(folder: Path, data: bytes) -> tuple[Contents | None, bytes]:
    """Recover such a file; return what the loader gets of it, and what was torn off."""
    path = orphan(folder, data)
    recover(folder)
    contents = None
    if path.with_suffix("").exists():
        contents = read(LandedFile(path.with_suffix(""), "track"))
    torn = path.with_suffix(".torn")
    return contents, torn.read_bytes() if torn.exists() else b""


def test_a_sealed_file_cut_at_any_place_of_its_last_line_loads_all_others(tmp_path: Path) -> None:
    kept = len(WHOLE) - len(LINES[-1])
    for cut in range(kept + 1, len(WHOLE) - 1):
        contents = sealed(tmp_path, WHOLE[:cut])

        assert ids(contents) == IDS[:-1]
        assert [one.body for one in contents.rejects] == [WHOLE[kept:cut]]


def test_an_open_file_cut_at_any_place_of_its_last_line_is_torn_there(tmp_path: Path) -> None:
    kept = len(WHOLE) - len(LINES[-1])
    for cut in range(kept + 1, len(WHOLE)):
        contents, torn = recovered(tmp_path / str(cut), WHOLE[:cut])

        assert contents
        assert (ids(contents), [one.reason for one in contents.rejects]) == (IDS[:-1], [])
        assert torn == WHOLE[kept:cut]


@pytest.mark.parametrize("place", [sealed, lambda *given: recovered(*given)[0]])
def test_a_flipped_bit_costs_its_own_line_and_keeps_its_bytes(
    tmp_path: Path, place: Callable[[Path, bytes], Contents]
) -> None:
    chance = random.Random(18)  # noqa: S311
    middle = range(len(LINES[0]), len(WHOLE) - len(LINES[-1]))
    for number, at in enumerate(chance.sample(middle, 100)):
        damaged = bytearray(WHOLE)
        damaged[at] ^= 1 << chance.randrange(8)

        contents = place(tmp_path / str(number), bytes(damaged))

        hit = WHOLE[:at].count(b"\n")
        # A flipped line break joins two lines; both are kept, as one damaged line.
        lost = {hit, hit + 1} if WHOLE[at] == ord("\n") else {hit}
        assert ids(contents) == [id_ for n, id_ in enumerate(IDS) if n not in lost]
        assert {one.reason for one in contents.rejects} <= {"crc", "no_envelope", "unknown_version"}
        rejected = b"\n".join(one.body for one in contents.rejects)
        start = sum(map(len, LINES[: min(lost)]))
        end = sum(map(len, LINES[: max(lost) + 1]))
        assert rejected == bytes(damaged[start:end]).strip(b"\n").replace(b"\n\n", b"\n")


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"\0" * 100 + b"\n" + b"\0" * 100, b"\n" * 50])
def test_nothing_is_lost_before_a_tail_of_nuls_or_line_breaks(tmp_path: Path, tail: bytes) -> None:
    contents, torn = recovered(tmp_path / "open", WHOLE + tail)
    already_sealed = sealed(tmp_path / "sealed", WHOLE + tail)

    assert contents
    assert ids(contents) == ids(already_sealed) == IDS
    assert torn == tail


@pytest.mark.parametrize("data", [b"", b"\n", b"\n" * 5000, b"\0" * 4096])
def test_a_file_without_an_event_is_no_event_and_no_crash(tmp_path: Path, data: bytes) -> None:
    contents, torn = recovered(tmp_path / "open", data)

    assert contents is None
    assert torn == data
    assert not sealed(tmp_path / "sealed", data).lines


def test_a_receiver_seals_at_its_start_what_can_be_read_of_damaged_files_and_lives(
    make_app: MakeApp, tmp_path: Path
) -> None:
    flipped = bytearray(WHOLE)
    flipped[len(LINES[0]) + 70] ^= 4
    for number, data in enumerate([bytes(flipped), WHOLE[:-5], WHOLE + bytes(4096), b"", b"\n"]):
        path = orphan(tmp_path / "landing", data)
        path.rename(path.with_name(f"{number}.ndjson.open"))
    (tmp_path / "landing").chmod(0o700)

    receiver = make_app()
    sent = post_events(receiver, make_events(1))
    receiver.close()

    contents = [read(LandedFile(path, "track")) for path in receiver.landing.glob("track/?.ndjson")]
    assert sorted(len(one.lines) for one in contents) == [9, 9, 10]
    assert [reject.reason for one in contents for reject in one.rejects] == ["crc"]
    assert judge(receiver.landing, sent).lost == set()
    assert receiver.open_files() == []


def of_version(number: int, line: bytes) -> bytes:
    """Return a line as another version of the receiver might write it."""
    return line.replace(b'{"v":1,"crc":"', b'{"v":%d,"sum":"' % number)


def test_what_a_receiver_of_another_version_left_is_kept_and_named_by_the_loader(
    make_app: MakeApp, tmp_path: Path
) -> None:
    """Old, new, old again: a killed newer one leaves an open file, an older one starts."""
    foreign = [of_version(2, line) for line in LINES[:3]]
    orphan(tmp_path / "landing", b"".join(foreign) + foreign[0][:40])
    (tmp_path / "landing").chmod(0o700)

    receiver = make_app()

    contents = read(LandedFile(receiver.landing / "track" / NAME, "track"))
    assert [one.reason for one in contents.rejects] == ["unknown_version"] * 3
    assert [one.body + b"\n" for one in contents.rejects] == foreign
    (torn,) = receiver.landing.glob("track/*.torn")
    assert torn.read_bytes() == foreign[0][:40]


@pytest.mark.parametrize("version", [0, 2, 10])
def test_lines_of_two_versions_in_one_file_do_not_touch_each_other(
    tmp_path: Path, version: int
) -> None:
    mixed = LINES[0] + of_version(version, LINES[1]) + LINES[2] + of_version(version, LINES[3])

    contents, torn = recovered(tmp_path, mixed)

    assert contents
    assert ids(contents) == ["id-0", "id-2"]
    assert [one.line for one in contents.rejects] == [2, 4]
    assert torn == b""
