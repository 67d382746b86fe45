"""Only those packages can be imported that users have: `make demo` installs requirements.lock."""

import re
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from landed.settings import ROOT

HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}, as users have none", name=name)

sys.meta_path.insert(0, Hidden())
"""


def hide_developers_packages(folder: Path) -> dict[str, str]:
    """Return an environment whose Python processes find only what users have; files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(HIDE.format(names=_developers_modules()))
    return {"PYTHONPATH": str(folder)}


@cache
def _developers_modules() -> set[str]:
    users = _locked("requirements.lock")
    developers = _locked("requirements-dev.lock") - users
    return {
        module
        for module, distributions in packages_distributions().items()
        if (named := set(map(_normal, distributions))) & developers and not named & users
    }


def _locked(file: str) -> set[str]:
    found = re.findall(r"^([\w.-]+)==", (ROOT / file).read_text(), re.MULTILINE)
    return {_normal(name) for name in found}


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
