"""The pages of the documentation, and what stands in them: blocks, words in code, links, titles."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from landed.settings import ROOT

_NOT_OURS = {".fuzz", ".git", ".pytest_cache", ".venv", "dbt_packages", "node_modules", "target"}
YOURS = ("dbt_project/models/marts/", "dbt_project/packages.yml")
"""Where pages tell users to put files of their own."""

_FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TITLE = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its language, if it has one, and its lines without their indent."""

    language: str
    text: str


@dataclass(frozen=True)
class Page:
    """A Markdown file of the repository."""

    path: Path

    @property
    def name(self) -> str:
        """Its path in the repository."""
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text()

    def blocks(self, *languages: str) -> list[Block]:
        """The fenced blocks, in their order; of these languages, if any are named."""
        found = [
            Block(language, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE))
            for indent, language, text in _FENCE.findall(self.text)
        ]
        return [block for block in found if not languages or block.language in languages]

    @property
    def prose(self) -> str:
        """What stands outside the blocks."""
        return _FENCE.sub("", self.text)

    @property
    def code(self) -> list[str]:
        """What the prose sets in backticks."""
        return _CODE.findall(self.prose)

    @property
    def links(self) -> list[str]:
        """Where the prose links to, but for other sites."""
        return [link for link in _LINK.findall(self.prose) if "://" not in link]

    @property
    def anchors(self) -> set[str]:
        """What a link may name behind a `#`: GitHub's names of the titles."""
        seen: Counter[str] = Counter()
        for title in _TITLE.findall(self.prose):
            shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
            name = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
            seen[name] += 1
        return {
            name if number == 0 else f"{name}-{number}"
            for name, count in seen.items()
            for number in range(count)
        }


def _pages() -> list[Page]:
    found = [
        path
        for folder in (ROOT, *(one for one in ROOT.iterdir() if one.is_dir()))
        if folder.name not in _NOT_OURS and not folder.name.startswith(".")
        for path in (folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))
        if not _NOT_OURS & {*path.parts}
    ]
    return [Page(path) for path in sorted(found)]


PAGES = _pages()
BY_NAME = {page.name: page for page in PAGES}
