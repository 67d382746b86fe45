"""What is below a folder of code: whoever asks whether the project has changed goes by it."""

import os
from collections.abc import Iterator
from pathlib import Path

from landed.settings import ROOT

PROJECT_DIR = ROOT / "dbt_project"

_WRITTEN_BY_USE = {"target", "logs", "__pycache__"}


def below(folder: Path) -> Iterator[Path]:
    """Files and folders, but for what dbt and Python write themselves.

    Folders too: one changes as well when a file in it is removed.
    """
    for above, folders, files in os.walk(folder, followlinks=True):
        folders[:] = set(folders) - _WRITTEN_BY_USE
        yield from (Path(above, name) for name in (*folders, *files))
