"""What the documentation lists is what there is."""

import re

import pytest

from landed.settings import ROOT, SharedSettings
from orchestration.settings import Settings as OrchestrationSettings
from receiver.settings import Settings as ReceiverSettings
from seamline import commands
from tests.support.docs.pages import PAGES

PARTS = (ReceiverSettings, OrchestrationSettings)
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
COMMANDS = (ROOT / "docs" / "commands.md").read_text()


def test_every_setting_has_a_row_on_its_page_and_every_row_is_a_setting() -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", SETTINGS, re.MULTILINE))

    assert documented == {name for part in PARTS for name in part.names().values()}


def test_the_pages_name_no_setting_that_is_none() -> None:
    settings = {name for part in PARTS for name in part.names().values()}
    named = {name for page in PAGES for name in re.findall(r"\bSEAMLINE_[A-Z_]+", page.text)}

    assert named <= settings


@pytest.mark.parametrize("part", PARTS)
def test_the_defaults_on_the_page_are_the_defaults(
    part: type[SharedSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = dict(re.findall(r"^\| `([A-Z_]+)` \| `([^`]*)` \|", SETTINGS, re.MULTILINE))
    for name in part.names().values():
        monkeypatch.delenv(name, raising=False)
    defaults = part(_env_file=None)
    for field, name in part.names().items():
        if part.model_fields[field].default is not None:
            monkeypatch.setenv(name, shown[name])

    assert part(_env_file=None) == defaults


def test_every_make_target_is_described() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    described = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))

    assert phony - described == {"install", "install-dev"}


def test_every_make_target_has_a_row_on_the_page_of_commands() -> None:
    described = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert described - set(re.findall(r"`make ([a-z-]+)", COMMANDS)) == {"help"}


def test_what_is_yes_or_no_is_written_as_it_is_set() -> None:
    assert not re.search("`(True|False)`", SETTINGS)


def test_every_command_has_a_row_and_every_row_is_a_command() -> None:
    rows = re.findall(r"^\| `seamline ([a-z]+)", COMMANDS, re.MULTILINE)

    assert sorted(rows) == sorted(commands.COMMANDS)
