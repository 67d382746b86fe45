"""The decisions that the project's texts point to are those that there are."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
NUMBERS = {page.name[:4] for page in PAGES}

_NUMBER = re.compile(r"(?:\bADRs?|\bdecisions?)[ /](\d{4})\b", re.IGNORECASE)
_LINK = re.compile(r"\[[^\]]*?(?:ADR|decision) (\d{4})[^\]]*\]\(([^)]*)\)", re.IGNORECASE)
_PAGE = re.compile(r"decisions/(\d{4}-[\w-]+\.md)")


_KINDS = {".conf", ".md", ".py", ".sql", ".toml", ".yaml", ".yml"}
_NOT_OURS = {"node_modules", "target", "logs", "warehouse"}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and path.name not in _NOT_OURS:
            yield from _files(path)
        elif path.suffix in _KINDS or path.name == "Makefile":
            yield path


TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in _files(ROOT)}


def test_every_decision_that_is_named_by_its_number_exists() -> None:
    missing = {
        (name, number)
        for name, text in TEXTS.items()
        for number in _NUMBER.findall(text)
        if number not in NUMBERS
    }

    assert missing == set()


def test_a_page_of_a_decision_is_named_in_full_wherever_it_is_named() -> None:
    wrong = {
        (name, page)
        for name, text in TEXTS.items()
        for page in _PAGE.findall(text)
        if not (ROOT / "docs" / "decisions" / page).exists()
    }

    assert wrong == set()


def test_a_link_leads_to_the_decision_whose_number_it_shows() -> None:
    wrong = {
        (name, number, target)
        for name, text in TEXTS.items()
        for number, target in _LINK.findall(text)
        if not target.rpartition("/")[2].startswith(number)
    }

    assert wrong == set()


def test_code_and_configuration_name_the_page_as_a_number_alone_says_nothing() -> None:
    alone = {
        (name, number)
        for name, text in TEXTS.items()
        if not name.endswith(".md")
        for number in re.findall(r"\bADR (\d{4})\b|decisions/(\d{4})(?!-)", text)
    }

    assert alone == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name[:4])
def test_the_title_of_a_decision_begins_with_its_number(page: Path) -> None:
    assert page.read_text().startswith(f"# {page.name[:4]} · ")


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs" / "decisions" / "README.md").read_text()

    assert [page.name for page in PAGES if f"({page.name})" not in listed] == []


def test_no_number_was_given_twice() -> None:
    assert len(NUMBERS) == len(PAGES)
