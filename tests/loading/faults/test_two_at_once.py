"""F28: two receivers and two loads at once in one landing folder. Each file is loaded once."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from landed.folders import CALLS
from orchestration.loading.load import load
from orchestration.settings import Settings
from tests.support import landed
from tests.support.faults.driver import Driver
from tests.support.faults.killed_loads import Child, ledger_faults, waiting
from tests.support.faults.load_children import load_again_and_again
from tests.support.faults.report import Report
from tests.support.processes import eventually
from tests.support.receiver.server import RunningReceiver
from tests.support.warehouse import rows

StartReceiver = Callable[..., RunningReceiver]

EVENTS = 400
ALL_IDS = " union all ".join(f'select message_id from raw."{call}"' for call in CALLS)


def test_what_two_loads_take_at_once_is_loaded_once(made_warehouse: Settings) -> None:
    for n in range(20):
        lines = [landed.line({"type": "track", "messageId": f"{n}-{m}"}) for m in range(5)]
        landed.land(made_warehouse.landing, "track", *lines)
    small = made_warehouse.model_copy(update={"load_bytes": 1})  # a transaction for each file

    with ThreadPoolExecutor(2) as pool:
        loaded = list(pool.map(load, [small] * 2))

    assert sum(one.files for one in loaded) == 20
    assert waiting(made_warehouse) == set()
    assert ledger_faults(made_warehouse) == {}
    assert rows(made_warehouse, "select count(*), count(distinct message_id) from raw.track") == [
        (100, 100)
    ]


@pytest.mark.long
def test_what_two_receivers_land_and_two_loads_take_is_loaded_once(
    start_receiver: StartReceiver, settings: Settings, report: Report
) -> None:
    receivers = [start_receiver(workers=1, seal_seconds=0.3) for _ in range(2)]
    loads = [Child(load_again_and_again, settings) for _ in range(2)]
    drivers = [Driver(running, senders=2, batch=4, seed=n) for n, running in enumerate(receivers)]
    assert eventually(lambda: sum(len(driver.sent) for driver in drivers) > EVENTS, 60)
    sent = [one for driver in drivers for one in driver.stop()]
    assert [running.stop() for running in receivers] == [0, 0]
    loaded = [child.stops() for child in loads]

    assert waiting(settings) == set()
    assert ledger_faults(settings) == {}
    files = list((settings.landing / "loaded").glob("*/*.ndjson"))
    assert len(files) == len({path.name for path in files}) == sum(loaded)
    assert list(settings.landing.glob("**/*.conflict")) == []
    copies = Counter(one.message_id for one in sent if one.promised)
    in_tables = Counter(one for (one,) in rows(settings, ALL_IDS))
    assert copies <= in_tables
    report.add("F28", "two receivers, two loads", files=len(files), promised=copies.total(), lost=0)
