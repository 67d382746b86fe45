"""Taking lines out of landed files: an erased line becomes an empty one, so the others keep theirs.

A file is written aside, synced and renamed, so that it is there as it was or as it will be.
"""

from collections.abc import Collection
from pathlib import Path

from orchestration.durable_files import write_whole
from orchestration.loading.people import Found, People


def blank(data: bytes, numbers: Collection[int]) -> bytes:
    """Return a file's bytes with some lines empty; lines count from 1."""
    lines = data.split(b"\n")
    for number in numbers:
        lines[number - 1] = b""
    return b"\n".join(lines)


def blank_people(
    path: Path, people: People, *, name: str | None = None, aside: Path | None = None
) -> Found:
    """Take the lines of some people out of a landed file.

    Args:
        path: The file.
        people: Who.
        name: What it is called in what is returned; its own name if not given.
        aside: Where it is written anew; beside it if not given.

    Returns:
        Whose lines there were.
    """
    lines = path.read_bytes().split(b"\n")
    found = Found()
    for place, line in enumerate(lines):
        if line and (whose := people.of_line(line)):
            found.update((person, name or path.name) for person in whose)
            lines[place] = b""
    if found:
        write_whole(path, b"\n".join(lines), aside)
    return found
