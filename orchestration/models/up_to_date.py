"""Whether all models are as a run of all of them has left them, and nothing has changed since.

A load by hand that finds nothing need not start dbt then, whose imports alone take seconds.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from landed.settings import ROOT
from orchestration.durable_files import make_folder, write_whole
from orchestration.models.own_models import is_own
from orchestration.models.project_files import PROJECT_DIR, below
from orchestration.settings import Settings
from orchestration.warehouse.catalog import CATALOG, number
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.connection import connect

_ENVIRONMENT = re.compile(rb"env_var\(\s*['\"](\w+)['\"]")
_VIEWS = {"view", "lasting_view"}


def made_from(settings: Settings) -> str:
    """What models are made from, besides the warehouse: code, project, settings, environment."""
    digest = hashlib.sha256(settings.model_dump_json().encode())
    for package in ("dbt-core", "dbt-duckdb", "duckdb"):
        digest.update(version(package).encode())
    for path in _files(settings):
        content = path.read_bytes()
        digest.update(f"{path} {len(content)} ".encode() + content)
        for name in _ENVIRONMENT.findall(content):
            digest.update(os.environ.get(name.decode(), "").encode())
    return digest.hexdigest()


def note(settings: Settings, made: str, results: Iterable[Any]) -> None:
    """Write down that all models were run; the caller has the writer's lock since then.

    Nothing is noted if one failed, or if a user has tables: what they say may change by itself, as
    the clock does.

    Args:
        settings: Where dbt's folder is.
        made: What `made_from` said before.
        results: dbt's, of all models.
    """
    is_all = all(
        result.status == "success"
        and (is_own(result.node.fqn) or result.node.config.materialized in _VIEWS)
        for result in results
    )
    if is_all:
        make_folder(_file(settings).parent)
        write_whole(_file(settings), f"{made} {_warehouse(settings)}".encode())
    else:
        _file(settings).unlink(missing_ok=True)


def are_up_to_date(settings: Settings) -> bool:
    """Whether a run of all models would find nothing to do."""
    try:
        noted = _file(settings).read_text()
    except FileNotFoundError:
        return False
    return noted == f"{made_from(settings)} {_warehouse(settings)}"


def _file(settings: Settings) -> Path:
    return settings.dagster_home / "dbt" / "up_to_date"


def _files(settings: Settings) -> list[Path]:
    found = [ROOT / "profiles.yml", *(ROOT / "orchestration").rglob("*.py")]
    found += [path for path in below(PROJECT_DIR) if path.is_file()]
    if settings.columns.exists():
        found.append(settings.columns)
    return sorted(found)


def _warehouse(settings: Settings) -> str:
    """Another text as soon as anybody has written to it, or exchanged it."""
    with connect(settings, read_only=True) as con:
        newest = number(con, f"select max(snapshot_id) from {CATALOG}.ducklake_snapshot")  # noqa: S608 - our own
    return f"{catalog_of(settings).identity()} {newest}"
