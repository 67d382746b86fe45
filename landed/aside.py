"""Putting aside: a file whose name another one has already had is kept as `*.conflict`."""

import filecmp
import glob
import os
import re
from itertools import count
from pathlib import Path

_SUFFIX = ".ndjson.conflict"


def put_aside(file: Path, path: Path | None = None) -> Path:
    """Put a sealed file aside: as `x.ndjson.conflict`, another one as `x.2.ndjson.conflict`.

    One that was put aside before is never replaced, and of equal ones there is one.

    Args:
        file: The file.
        path: The name that it cannot have; its own if not given.

    Returns:
        Where it is now.

    Raises:
        FileNotFoundError: somebody has taken it away.
    """
    path = path or file
    aside = path.with_suffix(_SUFFIX)
    numbers = count(2)
    while not _link(file, aside):
        aside = path.with_suffix(f".{next(numbers)}{_SUFFIX}")
    file.unlink()
    return aside


def put_aside_of(path: Path) -> list[Path]:
    """The files that were put aside as they could not have a name."""
    ours = re.compile(rf"{re.escape(path.stem)}(\.\d+)?{re.escape(_SUFFIX)}")
    found = path.parent.glob(f"{glob.escape(path.stem)}.*")
    return sorted(aside for aside in found if ours.fullmatch(aside.name))


def _link(file: Path, aside: Path) -> bool:
    """Give a file a second name, unless another one has it: a rename would replace that."""
    try:
        os.link(file, aside)
    except FileExistsError:
        return filecmp.cmp(file, aside, shallow=False)
    return True
