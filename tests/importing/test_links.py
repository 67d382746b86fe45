"""A link in a folder that is imported leads to what is in the folder, and to nothing else."""

import os
from pathlib import Path

import pytest

from orchestration.settings import Settings
from receiver.importing.errors import UnreadableError, UselessError
from receiver.importing.origins import LocalFile
from tests.support.importing import events, parsed, run_import, write
from tests.support.receiver.attack import bad_input


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of its own, beside one that is not for it."""
    write(tmp_path / "outside" / "secret.json", events("secret", 3))
    write(tmp_path / "folder" / "a.json", events("own", 6))
    return tmp_path / "folder"


def ids(settings: Settings) -> set[str]:
    return {fields["payload"]["messageId"] for fields in parsed(settings.landing)}


OWN = {f"own-{n}" for n in range(6)}


@bad_input(
    "B155",
    "a link in an imported folder to a file or folder outside",
    "it is named, and the rest is imported",
)
@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("b.json", "../outside/secret.json"),
        ("b.json", "below/../../outside/secret.json"),
        ("below/b.json", "../../outside/secret.json"),
        ("linked", "../outside"),
        ("b.json", "nowhere.json"),
        ("b.json", "b.json"),
        ("b.json", "/proc/self/environ"),
    ],
)
@pytest.mark.parametrize("pattern", ["", "/**"])
def test_a_link_out_of_the_folder_is_named_and_the_rest_is_imported(
    settings: Settings, folder: Path, link: str, target: str, pattern: str
) -> None:
    (folder / "below").mkdir()
    (folder / link).symlink_to(target)

    result = run_import(f"{folder}{pattern}")

    assert ids(settings) == OWN
    assert result.returncode == 1
    told = result.stderr.splitlines()
    assert told  # of a pattern perhaps both, the link and what is behind it
    for line in told:
        assert line.startswith(f"{folder / link}")
        assert f"a link that leads out of {folder}, or nowhere" in line


def test_a_link_within_the_folder_is_the_file_it_leads_to_once(
    settings: Settings, folder: Path
) -> None:
    (folder / "again.json").symlink_to("a.json")
    (folder / "below").mkdir()
    (folder / "below" / "up.json").symlink_to(folder / "a.json")
    (folder / "round").symlink_to(".")

    result = run_import(folder)

    assert (result.returncode, result.stderr) == (0, "")
    assert len(parsed(settings.landing)) == len(OWN)


def test_a_link_that_is_named_itself_is_followed(settings: Settings, folder: Path) -> None:
    """Whoever names it means it: a folder on another disk, an archive's latest file."""
    (folder.parent / "latest.json").symlink_to(folder / "a.json")
    (folder.parent / "disk").symlink_to(folder)

    for place in ("latest.json", "disk", "disk/*.json"):
        assert run_import(folder.parent / place).returncode == 0

    assert ids(settings) == OWN


@bad_input("B155", "a file exchanged for a link while an import runs", "nothing of it is imported")
def test_a_file_that_became_a_link_since_it_was_found_is_not_read(folder: Path) -> None:
    found = LocalFile(folder / "a.json")
    (folder / "a.json").unlink()
    (folder / "a.json").symlink_to(folder.parent / "outside" / "secret.json")

    with pytest.raises(UnreadableError):
        found.open()


def test_a_file_whose_folder_became_a_link_since_is_another_one(folder: Path) -> None:
    """Of the same size and the same time."""
    found = LocalFile(folder / "a.json")
    other = write(folder.parent / "outside" / "a.json", events("out", 6))
    seen = (folder / "a.json").stat()
    os.utime(other, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(folder.parent / "outside")

    with found.open() as opened, pytest.raises(UselessError):
        found.refuse_changed(opened)
