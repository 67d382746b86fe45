"""Taking lines out of landed files: an erased line becomes an empty one, so the others keep theirs.

A file is written aside, synced and renamed, so that it is there as it was or as it will be.
"""

from collections.abc import Collection
from pathlib import Path

from orchestration.durable_files import write_whole
from orchestration.loading.people import Found, People, Person


def blank(data: bytes, numbers: Collection[int]) -> bytes:
    """Return a file's bytes with some lines empty; lines count from 1."""
    lines = data.split(b"\n")
    for number in numbers:
        lines[number - 1] = b""
    return b"\n".join(lines)


def lines_of(data: bytes, people: People) -> dict[int, set[Person]]:
    """The lines of a landed file that are some people's, by number, and whose each is."""
    lines = enumerate(data.split(b"\n"), start=1)
    found = ((number, people.of_line(line)) for number, line in lines if line)
    return {number: whose for number, whose in found if whose}


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
    data = path.read_bytes()
    lines = lines_of(data, people)
    if lines:
        write_whole(path, blank(data, lines), aside)
    return found_in(name or path.name, lines)


def found_in(file: str, lines: dict[int, set[Person]]) -> Found:
    """Lines of a file, counted by whose they are."""
    return Found((person, file) for whose in lines.values() for person in whose)
