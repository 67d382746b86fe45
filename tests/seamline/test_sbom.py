"""`make sbom` lists what is installed, no more and no less, the same each time."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from landed.settings import ROOT

pytestmark = pytest.mark.integration


def test_every_pinned_package_is_listed_with_its_hashes(tmp_path: Path) -> None:
    for name in ("one.json", "two.json"):
        subprocess.run(["make", "sbom", f"SBOM={tmp_path / name}"], cwd=ROOT, check=True)  # noqa: S607

    text = (tmp_path / "one.json").read_text()
    assert text == (tmp_path / "two.json").read_text()
    listed = {
        (one["name"], one["version"]): {
            each["content"] for place in one["externalReferences"] for each in place["hashes"]
        }
        for one in json.loads(text)["components"]
    }
    pinned = re.split(
        r"^(?=[a-z0-9])", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE
    )
    assert listed == {
        re.match(r"([^=\[]+)(?:\[.*\])?==(\S+)", one).groups(): set(
            re.findall(r"sha256:(\w+)", one)
        )
        for one in pinned
        if one
    }
