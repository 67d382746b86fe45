"""docs/architecture.md: every folder has its line, and the walk is short and goes forwards."""

import re

from landed.settings import ROOT
from tests.support.docs.pages import BY_NAME

PAGE = BY_NAME["docs/architecture.md"]
WALK = [
    target
    for step in re.findall(r"^\d+\. .*$", PAGE.text, re.MULTILINE)
    for target in re.findall(r"\]\(([^)]+)\)", step)
]


def test_every_folder_of_the_receiver_and_the_orchestration_has_its_line() -> None:
    folders = {
        f"{part}/{path.name}"
        for part in ("receiver", "orchestration")
        for path in (ROOT / part).iterdir()
        if (path / "__init__.py").exists()
    }

    assert set(re.findall(r"^\| `(\w+/\w+)` \|", PAGE.text, re.MULTILINE)) == folders


def test_an_event_is_walked_through_25_files_at_most_and_through_none_twice() -> None:
    assert 15 < len(WALK) <= 25
    assert len(set(WALK)) == len(WALK)
