"""What the documentation lists is what there is."""

import re
from pathlib import Path

import pytest

from landed.settings import SharedSettings
from orchestration.settings import Settings as OrchestrationSettings
from receiver.settings import Settings as ReceiverSettings

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".pytest_cache", ".venv", "node_modules"}
PARTS = (ReceiverSettings, OrchestrationSettings)
README = (ROOT / "README.md").read_text()


def test_every_setting_has_a_row_in_the_readme_and_every_row_is_a_setting() -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE))

    assert documented == {name for part in PARTS for name in part.names().values()}


@pytest.mark.parametrize("part", PARTS)
def test_the_defaults_in_the_readme_are_the_defaults(
    part: type[SharedSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = dict(re.findall(r"^\| `([A-Z_]+)` \| `([^`]*)` \|", README, re.MULTILINE))
    for name in part.names().values():
        monkeypatch.delenv(name, raising=False)
    defaults = part(_env_file=None)
    for field, name in part.names().items():
        if part.model_fields[field].default is not None:
            monkeypatch.setenv(name, shown[name])

    assert part(_env_file=None) == defaults


def test_every_make_target_is_described_and_those_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    described = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))

    assert phony - described == {"install", "install-dev"}
    assert set(re.findall(r"`?make ([a-z-]+)", README)) <= phony


@pytest.mark.parametrize(
    "page", sorted(p for p in ROOT.rglob("*.md") if not NOT_OURS & {*p.parts}), ids=lambda p: p.name
)
def test_every_link_in_the_documentation_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []
