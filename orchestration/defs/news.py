"""What is to be loaded and modelled now: for the sensor, and for a run that stays."""

import time
from collections.abc import Mapping
from typing import NamedTuple

import dagster as dg

from landed.folders import REJECTED
from orchestration.defs.completeness_result import COMPLETENESS
from orchestration.defs.dbt_assets import models
from orchestration.defs.raw_assets import raw_key
from orchestration.loading import landed_file
from orchestration.models.back_off import Failing
from orchestration.models.pending_models import Pending
from orchestration.settings import Settings


class News(NamedTuple):
    """What has come, and which models are to wait."""

    folders: tuple[str, ...]
    """Those with sealed files, and calls with rows that their models have not had."""
    again: frozenset[dg.AssetKey]
    """Models that failed, and are due."""
    resting: frozenset[dg.AssetKey]
    """Models that failed, and are not."""
    failing: Mapping[str, Failing]
    """All of those by name."""

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.folders or self.again)

    def assets(self) -> set[dg.AssetKey]:
        """The raw tables with news, what could not be used, and our models that read them."""
        wanted = _with_models(self.folders) if self.folders else set()
        return wanted - self.resting | self.again | {COMPLETENESS}


_OWN = {key.path[-1]: key for key in models.keys}


def news(settings: Settings, known: Pending) -> News:
    """Say what there is to do.

    Args:
        settings: Where the landing folder is.
        known: What the warehouse says of models.
    """
    failing = {name: model for name, model in known.failing.items() if name in _OWN}
    resting = {name for name, model in failing.items() if time.time() < model.due}
    waiting = landed_file.waiting_folders(settings.landing)
    # loaded by a process that died before dbt
    behind = [
        call for call in known.calls if call in _OWN and call not in failing and call not in waiting
    ]
    return News(
        folders=(*waiting, *behind),
        again=frozenset(_OWN[name] for name in failing.keys() - resting),
        resting=frozenset(_OWN[name] for name in resting),
        failing=failing,
    )


def _with_models(folders: tuple[str, ...]) -> set[dg.AssetKey]:
    wanted = {raw_key(folder) for folder in [*folders, REJECTED]}
    grown = True
    while grown:
        more = {
            spec.key
            for spec in models.specs
            if spec.key not in wanted and wanted & {dep.asset_key for dep in spec.deps}
        }
        wanted |= more
        grown = bool(more)
    return wanted
