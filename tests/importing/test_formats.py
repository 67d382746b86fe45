"""What may be in a file that is imported, and what it may be called."""

import gzip
import json
import os
from pathlib import Path

import pytest

from orchestration.settings import Settings
from tests.support.importing import event, events, payloads, rejects, run_import, write

EVENTS = events("formats", 30)


@pytest.mark.parametrize("name", ["a.ndjson", "a.jsonl", "a.json", "a.log", "a.ndjson.gz", "a.gz"])
def test_a_file_of_one_event_a_line_lands_byte_for_byte(
    settings: Settings, tmp_path: Path, name: str
) -> None:
    result = run_import(write(tmp_path / name, EVENTS))

    assert result.returncode == 0, result.stderr
    assert payloads(settings.landing) == set(EVENTS)


@pytest.mark.parametrize(("name", "packed"), [("plain.gz", False), ("packed.ndjson", True)])
def test_the_first_bytes_say_whether_it_is_gzip_and_not_the_name(
    settings: Settings, tmp_path: Path, name: str, packed: bool
) -> None:
    run_import(write(tmp_path / name, EVENTS, packed=packed))

    assert payloads(settings.landing) == set(EVENTS)


def test_gzip_of_many_members_is_one_file(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "appended.gz"
    path.write_bytes(b"".join(gzip.compress(one + b"\n") for one in EVENTS))

    run_import(path)

    assert payloads(settings.landing) == set(EVENTS)


def test_a_line_may_be_an_array_of_events(settings: Settings, tmp_path: Path) -> None:
    run_import(write(tmp_path / "arrays.json", [b"[" + b", ".join(EVENTS) + b"]", b"[]"]))

    assert payloads(settings.landing) == set(EVENTS)


def test_a_line_may_be_a_batch_whose_fields_hold_for_its_events(
    settings: Settings, tmp_path: Path
) -> None:
    batch = b'{"batch":[{"type":"page","messageId":"of-batch"}],"context":{"ip":"10.0.0.1"}}'

    run_import(write(tmp_path / "batches.json", [batch]))

    (payload,) = payloads(settings.landing, "page")
    assert json.loads(payload)["context"] == {"ip": "10.0.0.1"}


def test_an_event_may_have_a_batch_of_its_own(settings: Settings, tmp_path: Path) -> None:
    baked = event("baked", batch=["a loaf"], properties={"batch": 7})

    run_import(write(tmp_path / "bakery.json", [baked]))

    assert payloads(settings.landing) == {baked}


def test_blank_lines_line_ends_of_windows_and_a_byte_order_mark_are_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "windows.json"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n \r\n".join(EVENTS))  # no end of the last line

    run_import(path)

    assert payloads(settings.landing) == set(EVENTS)
    assert rejects(settings.landing) == {}


def test_a_folder_is_walked_and_what_is_of_another_kind_is_left_out(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    write(folder / "b.ndjson", EVENTS[:10])
    write(folder / "deep" / "er" / "a.json.gz", EVENTS[10:])
    write(folder / "dummy-object.txt", [event("not-this")])

    result = run_import(folder)

    assert payloads(settings.landing) == set(EVENTS)
    assert "1 files of other kinds are left out" in result.stdout


def test_a_name_may_be_of_any_bytes(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "named"
    write(folder / os.fsdecode(b"a b [bold]\xff\n.json"), EVENTS)

    result = run_import(folder)

    assert result.returncode == 0
    assert payloads(settings.landing) == set(EVENTS)


def test_several_files_and_patterns_are_one_import(settings: Settings, tmp_path: Path) -> None:
    for number, one in enumerate(EVENTS):
        write(tmp_path / "in" / f"{number:02d}.json", [one])

    result = run_import(tmp_path / "in" / "0*.json", tmp_path / "in" / "[12]*.json")

    assert payloads(settings.landing) == set(EVENTS)
    assert "30 files imported: 30 events, 0 rejected." in result.stdout


@pytest.mark.parametrize(
    ("magic", "kind"),
    [(b"PK\x03\x04", "zip"), (b"(\xb5/\xfd", "zstd"), (b"BZh9", "bzip2"), (b"PAR1", "Parquet")],
)
def test_another_kind_of_file_is_refused_by_its_first_bytes(
    settings: Settings, tmp_path: Path, magic: bytes, kind: str
) -> None:
    path = tmp_path / "events.json"
    path.write_bytes(magic + b"and so on\n")

    result = run_import(path)

    assert result.returncode == 1
    assert kind in result.stderr
    assert rejects(settings.landing) == {}


def test_an_empty_file_has_no_events(settings: Settings, tmp_path: Path) -> None:
    result = run_import(write(tmp_path / "empty.json", []), write(tmp_path / "empty.gz", []))

    assert result.returncode == 0
    assert result.stdout.count("no events") == 2
    assert payloads(settings.landing) == set()


@pytest.mark.parametrize("place", ["nowhere.json", "no*thing", "s3://", "ftp://host/file"])
def test_what_is_not_there_is_said_in_a_line_and_the_others_are_imported(
    settings: Settings, tmp_path: Path, place: str
) -> None:
    result = run_import(place, write(tmp_path / "good.json", EVENTS))

    assert result.returncode == 1
    assert result.stderr.startswith(f"{place} is ")
    assert result.stderr.count("\n") == 1
    assert payloads(settings.landing) == set(EVENTS)


def test_a_file_that_cannot_be_read_is_said_in_a_line_and_the_others_are_imported(
    settings: Settings, tmp_path: Path
) -> None:
    good = write(tmp_path / "good.json", EVENTS)
    unreadable = "/proc/self/mem"  # a regular file whose first byte cannot be read

    result = run_import(unreadable, good)

    assert result.returncode == 1
    assert "cannot be read: Input/output error. The same command again" in result.stderr
    assert payloads(settings.landing) == set(EVENTS)
