"""What the models and Python both need to know, said once: `vars` of dbt_project.yml."""

from functools import cache
from typing import Any

import yaml

from landed.settings import ROOT

PROJECT_FILE = ROOT / "dbt_project" / "dbt_project.yml"


@cache
def dbt_vars() -> dict[str, Any]:
    """The vars by name, as the project's file has them."""
    found: dict[str, Any] = yaml.safe_load(PROJECT_FILE.read_text())["vars"]
    return found
