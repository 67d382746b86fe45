"""What a page shows in a language is well-formed in it; what may be run is run elsewhere.

Commands: test_documented_commands.py. SQL: tests/models/test_real_events.py, test_time_travel.py.
"""

import json
import subprocess
import tomllib
from collections.abc import Callable

import pytest
import yaml

from tests.support.docs.pages import PAGES, Block

SHOWN = [
    pytest.param(block, id=f"{page.name}: {block.text.strip().splitlines()[0]}")
    for page in PAGES
    for block in page.blocks("json", "python", "sh", "toml", "yaml")
]


def shell(text: str) -> None:
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)  # noqa: S607


READERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "python": lambda text: compile(text, "page", "exec"),
    "sh": shell,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}


@pytest.mark.parametrize("block", SHOWN)
def test_a_block_can_be_read(block: Block) -> None:
    READERS[block.language](block.text)


def test_every_language_has_somebody_who_reads_it() -> None:
    """`ini`: test_operate_receiver.py. `js`, `html`: the pages that tests give to a browser."""
    languages = {block.language for page in PAGES for block in page.blocks()}

    assert languages <= {*READERS, "", "sql", "jinja", "ini", "js", "html"}
