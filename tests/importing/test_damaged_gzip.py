"""F20: gzip that is cut short or damaged. The error names the file; the file stays."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from orchestration.settings import Settings
from receiver.importing import one_file
from tests.support.importing import (
    event,
    events,
    loaded_ids,
    payloads,
    rejects,
    run_import,
    tree,
    write,
)

EVENTS = events("packed", 2000, size=200)
PACKED = gzip.compress(b"".join(line + b"\n" for line in EVENTS), 6)


def flipped(at: int) -> bytes:
    return PACKED[:at] + bytes([PACKED[at] ^ 0x10]) + PACKED[at + 1 :]


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99, 1.0])
def test_of_gzip_that_is_cut_short_the_whole_lines_are_imported(
    settings: Settings, tmp_path: Path, share: float
) -> None:
    path = tmp_path / "cut.gz"
    cut = PACKED[: int(len(PACKED) * share) - 1]
    path.write_bytes(cut)

    result = run_import(path, write(tmp_path / "other.json", events("other", 5)))

    assert result.returncode == 1
    assert f"{path} is cut short" in result.stderr
    assert path.read_bytes() == cut
    landed = payloads(settings.landing) - set(events("other", 5))
    assert landed == set(EVENTS[: len(landed)])
    assert len(landed) >= 2000 * share * 0.5
    assert rejects(settings.landing) == {}
    assert set(events("other", 5)) <= payloads(settings.landing)


def test_a_file_cut_short_stays_so_and_its_repair_is_imported_after_it(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(PACKED[:-100])
    run_import(path)

    again = run_import(path)
    path.write_bytes(PACKED)
    repaired = run_import(path)

    assert (again.returncode, repaired.returncode) == (1, 0)
    assert "was imported before" in again.stdout
    assert set(loaded_ids(settings)) == {f"packed-{n}" for n in range(2000)}


@pytest.mark.parametrize(
    "data",
    [
        flipped(len(PACKED) // 2),
        flipped(len(PACKED) - 6),  # the checksum itself
        flipped(len(PACKED) - 2),  # the length
        PACKED + b"garbage",
        PACKED[:1000] + b"\0" * 1000 + PACKED[2000:],
        b"\x1f\x8bgarbage" * 100,
    ],
    ids=["a bit", "the checksum", "the length", "garbage behind", "a hole", "garbage"],
)
def test_of_damaged_gzip_nothing_is_imported(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    path = tmp_path / "damaged.gz"
    path.write_bytes(data)

    monkeypatch.setattr(one_file, "CHUNK_BYTES", 50_000)
    result = run_import(path, write(tmp_path / "z.json", events("other", 5)))

    assert result.returncode == 1
    assert f"{path} is damaged gzip" in result.stderr
    assert result.stderr.count("\n") == 1
    assert path.read_bytes() == data
    assert payloads(settings.landing) == set(events("other", 5))
    assert len([name for name in tree(settings.landing) if name.startswith("imports/")]) == 1


def test_a_file_that_is_written_to_meanwhile_is_not_imported(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "live.log", EVENTS)
    real = one_file.stage

    def stage_while_it_grows(*arguments: Any) -> None:
        with path.open("ab") as file:
            file.write(event("more") + b"\n")
        real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(one_file, "stage", stage_while_it_grows)
        result = run_import(path)

    assert result.returncode == 1
    assert "was changed while it was read" in result.stderr
    assert [name for name in tree(settings.landing) if name.endswith(".ndjson")] == []
    assert run_import(path).returncode == 0
