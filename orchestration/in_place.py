"""Whether anything is in the places that the settings lead to.

Who has not given a command the settings of what runs leads it to the places of the defaults. There
it would make an empty warehouse, find nobody in it, and say that everybody is erased.
"""

import os
from pathlib import Path

from landed.errors import ReportedError
from orchestration.settings import Settings
from orchestration.warehouse.catalogs import catalog_of


class NothingInPlaceError(ReportedError):
    """There is nothing to work on; the text says where it was looked for."""


def refuse_nothing(settings: Settings) -> None:
    """Refuse to work where neither a warehouse nor a file of landed events is.

    An object store may have some of either, and is not asked.

    Raises:
        NothingInPlaceError: there is neither. Nothing was made.
        WarehouseUnusableError: the catalog's server cannot say whether it is there.
    """
    if settings.landing_remote or _has_files(settings.landing) or catalog_of(settings).exists():
        return
    raise NothingInPlaceError(
        f"Nothing is here: no warehouse at {settings.place} (SEAMLINE_WAREHOUSE), and no file of "
        f"events, waiting, loaded or archived, in {settings.landing} (SEAMLINE_LANDING). Nothing "
        "was done. If Seamline runs with other settings, this command needs them too; if it is to "
        "begin here, `make run` or `make load` makes a warehouse."
    )


def _has_files(landing: Path) -> bool:
    """Whether any folder of the landing folder has a file: all that is kept is in one of them."""
    if not landing.is_dir():
        return False
    folders = (entry.path for entry in os.scandir(landing) if entry.is_dir())
    return any(
        names
        for folder in folders
        for _, _, names in os.walk(folder, onerror=_raise, followlinks=True)
    )


def _raise(error: OSError) -> None:
    raise error
