"""Taking lines out of landed files: an erased line becomes an empty one, so the others keep theirs.

A file is written aside, synced and renamed, so that it is there as it was or as it will be.
"""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from orchestration.durable_files import write_whole
from orchestration.loading.people import People, Person


def blank(data: bytes, numbers: Collection[int]) -> bytes:
    """Return a file's bytes with some lines empty; lines count from 1."""
    lines = data.split(b"\n")
    for number in numbers:
        lines[number - 1] = b""
    return b"\n".join(lines)


def lines_of(people: People, data: bytes) -> dict[int, set[Person]]:
    """The lines of a landed file that are some people's: number → whose."""
    return {
        number: whose
        for number, line in enumerate(data.split(b"\n"), start=1)
        if line and (whose := people.of_line(line))
    }


def blank_people(path: Path, people: People) -> Counter[Person]:
    """Take the lines of some people out of a landed file.

    Returns:
        How many lines of each there were.
    """
    data = path.read_bytes()
    found = lines_of(people, data)
    if found:
        write_whole(path, blank(data, found))
    return Counter(person for whose in found.values() for person in whose)
