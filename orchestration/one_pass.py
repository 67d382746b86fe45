"""One pass by hand: `make load`. What it does not need it does not import."""

import sqlite3

from landed.errors import ReportedError
from orchestration import modes
from orchestration.loading.load import Progress, WarehouseBehindError, load
from orchestration.models.up_to_date import are_up_to_date
from orchestration.settings import Settings


def load_once(settings: Settings, progress: Progress | None = None) -> str:
    """Load all sealed files and run the models: one synchronous pass.

    A warehouse that was lost is first made again from the files of earlier loads. What waits in an
    object store is fetched before, and what was loaded is kept there afterwards.

    Returns:
        What happened, in a line.

    Raises:
        ReportedError: not all was exchanged with the object store. What is here was loaded all the
            same.
        HalfBroughtError: a lost loader's files have not all come: nothing was loaded.
    """
    modes.narrow(settings)
    if settings.landing_remote is None:
        return _load_once(settings, progress)
    from orchestration.remote.exchange import HalfBroughtError  # noqa: PLC0415 - brings obstore
    from orchestration.remote.process import fetch_once, finish  # noqa: PLC0415 - likewise

    problem = None
    try:
        fetch_once(settings)
    except HalfBroughtError:
        raise  # a load would number itself as one that has not come
    except (ReportedError, OSError, sqlite3.Error) as error:
        problem = error.message if isinstance(error, ReportedError) else str(error)
    said = _load_once(settings, progress)
    if problem:
        raise ReportedError(f"{said}. But {problem}")
    finish(settings)
    return said


def _load_once(settings: Settings, progress: Progress | None) -> str:
    try:
        loaded = load(settings, progress=progress)
    except WarehouseBehindError:
        from orchestration.recovery.restore import restore_if_behind  # noqa: PLC0415

        restore_if_behind(settings, progress)
        loaded = load(settings, progress=progress)
    if not are_up_to_date(settings):
        from orchestration.models.run import run_all_models  # noqa: PLC0415 - brings dbt: seconds

        run_all_models(settings)
    return str(loaded)
