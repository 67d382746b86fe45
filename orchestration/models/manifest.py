"""The manifest of the project: what dbt found there, and Dagster makes its assets from.

It is a file of this instance's own. While it is up to date nothing here brings dbt, whose imports
take seconds of each start.
"""

import json
import shutil
from pathlib import Path

from filelock import FileLock

from landed.settings import ROOT
from orchestration.models.project_files import PROJECT_DIR, below
from orchestration.settings import Settings


def own_folder(settings: Settings) -> Path:
    """Where dbt keeps what it writes for this instance."""
    return settings.dagster_home / "dbt"


def write_manifest(settings: Settings) -> Path:
    """Parse the project into the manifest Dagster makes its assets from, unless it is up to date.

    It appears whole: prepare, the code server and runs all come here, some of them at once, and
    each dbt overwrites the manifest in its target.

    Returns:
        Where the manifest is.

    Raises:
        DbtFailedError: the project cannot be parsed.
    """
    manifest = manifest_path(settings)
    manifest.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(manifest.with_suffix(".lock")):
        if not is_up_to_date(manifest, settings):
            from orchestration.models import run  # noqa: PLC0415 - brings dbt

            written = manifest.with_suffix(".new")
            shutil.copyfile(run.parse(settings), written)
            written.replace(manifest)
    return manifest


def manifest_path(settings: Settings) -> Path:
    """Where `write_manifest` puts it; it may not be there yet, or be old."""
    return own_folder(settings) / "manifest.json"


def has_project_changed(settings: Settings, since: float) -> bool:
    """Whether the project is another than at a time.

    Args:
        settings: Where dbt's folder is.
        since: When it was read, in seconds since 1970.
    """
    manifest = manifest_path(settings)
    # another process may have written a new one already
    return manifest.stat().st_mtime > since or _is_older_than_project(manifest)


def is_up_to_date(manifest: Path, settings: Settings) -> bool:
    """Whether a manifest is of the project as it is now, under the name that is set now."""
    if not manifest.exists() or _is_older_than_project(manifest):
        return False
    schemas = {
        node["schema"]
        for node in json.loads(manifest.read_bytes())["nodes"].values()
        if node["resource_type"] == "model"
    }
    return settings.schema_name in schemas


def _is_older_than_project(manifest: Path) -> bool:
    written = manifest.stat().st_mtime
    sources = [ROOT / "profiles.yml", *below(PROJECT_DIR)]
    return any(_changed_at(source) > written for source in sources)


def _changed_at(path: Path) -> float:
    try:
        state = path.stat()
        # what is unpacked has the time it was packed with, and may be older than the manifest
        return max(state.st_mtime, state.st_ctime)
    except FileNotFoundError:  # an editor's, and gone since it was listed
        return 0.0
