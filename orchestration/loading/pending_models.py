"""Which calls have raw rows that their models may lack: a file for each, by the catalog.

A load marks a call before its rows are there, a run of dbt in which the call's model went well
takes the mark away, and both are the one writer while they do. So a mark outlives whoever died in
between, whatever Dagster remembers of it. In it is the first load that the model may lack.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from landed.folders import CALLS
from orchestration.durable_files import make_folder, sync_folder
from orchestration.settings import Settings

_WITHOUT_MODEL = {"delete"}


def mark(settings: Settings, calls: Iterable[str], load_id: int) -> None:
    """Note that calls are about to get rows; a power cut does not take the note away.

    Args:
        settings: Where the warehouse is.
        calls: The calls; those that are marked stay so.
        load_id: The first load that brings some.
    """
    folder = _folder(settings)
    make_folder(folder, mode=0o777)
    for call in set(calls) & (set(CALLS) - _WITHOUT_MODEL):
        if not (folder / call).exists():
            (folder / call).write_text(f"{load_id}\n")
    sync_folder(folder)


def calls_behind(settings: Settings) -> list[str]:
    """The calls that are marked."""
    return [call for call in CALLS if (_folder(settings) / call).exists()]


def first_lacked(settings: Settings) -> dict[str, int]:
    """Marked call → the first load that its models may lack; 0 where the mark does not say."""
    lacked = {}
    for call in calls_behind(settings):
        with suppress(FileNotFoundError):  # taken away since: its models have run
            lacked[call] = int((_folder(settings) / call).read_text() or 0)
    return lacked


def clear(settings: Settings, calls: Iterable[str]) -> None:
    """Note that the models of calls have what raw has."""
    for call in set(calls) & set(CALLS):
        (_folder(settings) / call).unlink(missing_ok=True)


def _folder(settings: Settings) -> Path:
    return settings.catalog.parent / "models_behind"
