"""What a page points to is there: files, titles, and the paths that it sets in code."""

import re
from pathlib import Path

import pytest

from landed.settings import ROOT
from tests.support.docs.pages import PAGES, YOURS, Page

PATH = re.compile(
    r"(?:\.ci|benchmarks|dbt_project|dbt_seamline|demo|deploy|docs|fuzz|landed|orchestration|receiver"
    r"|stack|tests)(?:/[\w.*-]+)+/?|seamline/\w+\.py"
)
MADE_BY_RUNNING = ("dbt_project/target", "dbt_project/logs")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_to_a_title_of_it(page: Page) -> None:
    def leads_nowhere(link: str) -> bool:
        name, _, anchor = link.partition("#")
        target = (page.path.parent / name).resolve() if name else page.path
        return not target.exists() or (bool(anchor) and anchor not in Page(target).anchors)

    assert [link for link in page.links if leads_nowhere(link)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_of_the_repository_in_code_is_one(page: Page) -> None:
    named = [code for code in page.code if PATH.fullmatch(code)]
    later = (*MADE_BY_RUNNING, *YOURS)
    there = [path for path in named if any(ROOT.glob(path)) or path.startswith(later)]

    assert named == there


def test_anchors_are_named_as_github_names_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# The `at` clause: how?\n## A type\n## A type\n```\n# a comment\n```\n")

    assert Page(page).anchors == {"the-at-clause-how", "a-type", "a-type-1"}
