"""Tables to be built anew, as a column, or a relation beside them, is called by an id.

The names go from `raw.field` with the erasure's transaction, and nothing tells then which tables
had them: so it is marked before, in `landing/suppressed/`, until they are built.
"""

from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

import msgspec

from landed.folders import SUPPRESSED
from orchestration.durable_files import sync_folder, write_whole
from orchestration.erasure import raw_rows
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.transaction import transaction
from orchestration.warehouse.writer_lock import writer_lock

_NAME = "build-anew-{}.json"


def mark(landing: Path, calls: Iterable[str]) -> None:
    """Note, synced, that tables of these calls are to be built anew; before the names are gone."""
    # a file for each erasure: one that builds removes the marks of those that were before it only
    write_whole(landing / SUPPRESSED / _NAME.format(uuid4().hex), msgspec.json.encode(list(calls)))


def marks(landing: Path) -> list[Path]:
    """What is marked; to be asked in the writer's lock, where no erasure is half done."""
    return sorted((landing / SUPPRESSED).glob(_NAME.format("*")))


def build(settings: Settings, marked: list[Path]) -> None:
    """Build what is marked, and what is built on it; then remove the marks.

    A user's model that fails is named; what its table has is the user's to erase (docs/erasure.md).

    Raises:
        DbtFailedError: one of our models failed; the marks stay.
    """
    from orchestration.models import run  # noqa: PLC0415 - takes seconds, and is hardly ever needed

    calls = {
        call for path in marked for call in msgspec.json.decode(path.read_bytes(), type=list[str])
    }
    names = [name for call in sorted(calls) for name in (f"stg_segment__{call}", call)]
    run.require_own(run.run_models(settings, names, full_refresh=True))
    run.require_own(run.run_models(settings))
    run.forget_statements(settings)
    with writer_lock(settings), connect(settings) as con, transaction(con):
        raw_rows.write_others_anew(con, settings)
    for path in marked:
        path.unlink(missing_ok=True)
    sync_folder(settings.landing / SUPPRESSED)
