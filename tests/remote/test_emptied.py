"""A folder that is emptied here by mistake empties nothing in the store."""

import shutil

from landed.folders import SUPPRESSED, SUPPRESSED_KEY, SUPPRESSED_LIST
from orchestration.loading import suppressed
from orchestration.loading.people import USER, Id
from tests.remote.machines import Machines


def test_who_is_suppressed_stays_in_the_store(shared: Machines) -> None:
    loader = shared.loader()
    suppressed.begin(loader.landing, {Id(USER, "somebody")}, suppressed=True)
    loader.exchange()
    kept = [f"{SUPPRESSED}/{name}" for name in sorted((SUPPRESSED_KEY, SUPPRESSED_LIST))]
    assert set(kept) <= set(shared.keys(SUPPRESSED))

    shutil.rmtree(loader.landing / SUPPRESSED)
    loader.exchange()

    assert set(kept) <= set(shared.keys(SUPPRESSED))
