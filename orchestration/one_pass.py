"""One pass by hand: `make load`. What it does not need it does not import."""

from orchestration import modes
from orchestration.loading.load import Progress, WarehouseBehindError, load
from orchestration.models.up_to_date import are_up_to_date
from orchestration.settings import Settings


def load_once(settings: Settings, progress: Progress | None = None) -> str:
    """Load all sealed files and run the models: one synchronous pass.

    A warehouse that was lost is first made again from the files of earlier loads.

    Returns:
        What happened, in a line.
    """
    modes.narrow(settings)
    try:
        loaded = load(settings, progress=progress)
    except WarehouseBehindError:
        from orchestration.recovery.restore import restore_if_behind  # noqa: PLC0415

        restore_if_behind(settings, progress)
        loaded = load(settings, progress=progress)
    if not are_up_to_date(settings):
        from orchestration.prepare import run_all_models  # noqa: PLC0415 - brings dbt: seconds

        run_all_models(settings)
    return str(loaded)
