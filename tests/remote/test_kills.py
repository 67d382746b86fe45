"""F42: killed at any step, whoever ships or fetches: nothing is lost, nothing is there twice."""

import random
import shutil

import pytest

from tests.remote.machines import Loader, Machines
from tests.support.faults.steps import kill_at, steps_of

pytestmark = pytest.mark.scale

FILES = 3
KILLS = 3

SHIP = """
import threading
from pathlib import Path
from landed.object_store import Store
from receiver.shipping import ship
ship.AT_ONCE = 1
landing, store = Path({landing!r}), Store({address!r})
"""
SHIP_WORK = "threading.setprofile(__import__('sys').getprofile()); \
ship.SealedFiles(landing, store).ship()"

EXCHANGE = """
import os, threading
os.environ |= {environment!r}
from orchestration.loading.load import load
from orchestration.remote import everything, fetch, replica, settle
from orchestration.remote.process import bring_everything, fetch_once, finish
from orchestration.settings import Settings
fetch.AT_ONCE = everything.AT_ONCE = settle.AT_ONCE = replica.AT_ONCE = 1
settings = Settings()
"""
EXCHANGE_WORK = "threading.setprofile(__import__('sys').getprofile()); {work}"


DIES_BEFORE_IT_DELETES = """
import signal
from landed.object_store import Store
Store.delete = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_while_it_ships(machines: Machines, loader: Loader, chance: random.Random) -> None:
    receiver = machines.receiver()
    setup = SHIP.format(landing=str(receiver.landing), address=machines.address)
    receiver.land(0)
    steps = steps_of(setup, SHIP_WORK) * FILES
    number = 1
    for _ in range(KILLS):
        for _ in range(FILES):
            receiver.land(number)
            number += 1
        kill_at(chance.randrange(steps // 2), setup, SHIP_WORK)
        there = {key.rpartition("/")[2] for key in machines.keys("waiting")}
        assert len(there | set(receiver.left())) == number
    receiver.ship()

    assert receiver.left() == []
    loader.whole_pass()
    assert loader.messages() == machines.once(range(number))
    assert loader.problems() == []


@pytest.mark.parametrize("work", ["fetch_once(settings)", "load(settings); finish(settings)"])
def test_killed_while_it_fetches_or_settles(
    machines: Machines, loader: Loader, chance: random.Random, work: str
) -> None:
    setup = EXCHANGE.format(environment=loader.environment)
    work = EXCHANGE_WORK.format(work=work)
    receiver = machines.receiver()
    number = 0

    def ship() -> None:
        nonlocal number
        for _ in range(FILES):
            receiver.land(number)
            number += 1
        receiver.ship()
        if "load" in work:
            loader.exchange()

    ship()
    steps = steps_of(setup, work)
    loader.whole_pass()
    for _ in range(KILLS):
        ship()
        kill_at(chance.randrange(steps * 3 // 4), setup, work)
        kept = machines.keys("waiting") + machines.keys("loaded")
        assert {key.rpartition("/")[2] for key in kept} >= {
            path.name for path in loader.landing.glob("*/*.ndjson") if path.parent.name == "track"
        }
    loader.whole_pass()

    assert loader.messages() == machines.once(range(number))
    assert loader.problems() == []
    assert machines.keys("waiting") == []
    assert len(machines.keys("loaded")) == number


def test_killed_between_keeping_what_was_loaded_and_removing_what_waited(
    machines: Machines, loader: Loader
) -> None:
    receiver = machines.receiver()
    receiver.land(0)
    receiver.ship()
    loader.exchange()
    loader.take()
    setup = EXCHANGE.format(environment=loader.environment)
    kill_at(10**6, setup + DIES_BEFORE_IT_DELETES, "finish(settings)")
    assert (len(machines.keys("waiting")), len(machines.keys("loaded"))) == (1, 1)

    assert loader.whole_pass().files == 0

    assert (len(machines.keys("waiting")), len(machines.keys("loaded"))) == (0, 1)
    assert loader.messages() == machines.once(range(1))


def test_killed_while_all_is_brought_to_a_new_machine(
    machines: Machines, loader: Loader, chance: random.Random
) -> None:
    receiver = machines.receiver()
    for number in range(FILES):
        receiver.land(number)
        receiver.ship()
        loader.whole_pass()
    work = EXCHANGE_WORK.format(work="bring_everything(settings)")
    other = machines.loader()
    steps = steps_of(EXCHANGE.format(environment=other.environment), work)
    new = machines.loader()
    for _ in range(KILLS // 2):
        kill_at(chance.randrange(steps // 2), EXCHANGE.format(environment=new.environment), work)
    new.bring_all()

    assert new.restored() == FILES
    assert new.messages() == machines.once(range(FILES))
    assert new.problems() == []


def test_without_what_is_known_of_the_store_nothing_is_there_twice(
    machines: Machines, loader: Loader
) -> None:
    receiver = machines.receiver()
    receiver.land(0)
    receiver.ship()
    loader.exchange()
    own = (loader.landing / "remote" / "loader").read_bytes()
    shutil.rmtree(loader.landing / "remote")
    (loader.landing / "remote").mkdir()
    (loader.landing / "remote" / "loader").write_bytes(own)
    receiver.land(1)
    receiver.ship()

    loader.whole_pass()
    loader.whole_pass()

    assert loader.messages() == machines.once(range(2))
    assert machines.keys("waiting") == []
    assert len(machines.keys("loaded")) == 2
