"""What the documentation lists is what there is."""

import re
from pathlib import Path

import pytest

from orchestration.settings import Settings as OrchestrationSettings
from receiver.settings import Settings as ReceiverSettings

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".pytest_cache", ".venv", "node_modules"}
README = (ROOT / "README.md").read_text()


def _environment_names() -> set[str]:
    fields = {**ReceiverSettings.model_fields, **OrchestrationSettings.model_fields}
    return {
        str(field.validation_alias or f"SEAMLINE_{name.upper()}") for name, field in fields.items()
    }


def test_every_setting_has_a_row_in_the_readme_and_every_row_is_a_setting() -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE))

    assert documented == _environment_names()


@pytest.mark.parametrize("settings", [ReceiverSettings, OrchestrationSettings])
def test_the_defaults_in_the_readme_are_the_defaults(
    settings: type[ReceiverSettings] | type[OrchestrationSettings],
) -> None:
    for name, field in settings.model_fields.items():
        if field.default is None:
            continue
        setting = field.validation_alias or f"SEAMLINE_{name.upper()}"
        (shown,) = re.findall(rf"^\| `{setting}` \| `([^`]*)` \|", README, re.MULTILINE)
        default = field.default
        assert shown == f"{default:g}" if isinstance(default, float) else str(default)


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
