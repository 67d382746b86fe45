"""All processes of the stack, or none: whatever ends first, nothing is left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from stack.errors import ServiceEndedError
from stack.output import nothing
from stack.supervisor import Supervisor
from tests.support.stack.stand_ins import DEAF, FAMILY, PATIENCE, TIDY, Held, all_gone, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FAILS = """
import pathlib, sys, time
print("up", flush=True)
while not pathlib.Path({path!r}).exists():
    time.sleep(0.05)
print("the disk is full")
sys.exit(3)
"""
"""A process that fails once a file is there."""


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., Held]]:
    """Start supervisors that are cleared away afterwards."""
    started: list[Held] = []

    def start(services: dict[str, str], grace: float = 20) -> Held:
        started.append(Held(services, tmp_path / f"output-{len(started)}", grace))
        return started[-1]

    yield start
    for held in started:
        held.clear_away()


def test_when_one_process_ends_the_others_are_stopped_and_the_reason_comes_last(
    hold: Callable[..., Held], tmp_path: Path
) -> None:
    disk = tmp_path / "full"
    held = hold({"first": FAMILY, "second": FAILS.format(path=str(disk))})
    eventually(held.pids_so_far)
    disk.touch()
    assert held.process.wait(timeout=PATIENCE) == 1
    assert held.printed().endswith(
        "The last lines of second:\n  | up\n  | the disk is full\n"
        "Stopped, because second ended: exit status 3.\n"
    )
    assert "first             | up " in held.printed()
    assert all_gone(held.pids_so_far())


@pytest.mark.long
def test_a_process_that_was_killed_is_reported_with_the_signal(hold: Callable[..., Held]) -> None:
    held = hold({"only": FAMILY})
    pids = held.pids()
    os.kill(pids[0], signal.SIGKILL)
    assert held.process.wait(timeout=PATIENCE) == 1
    assert held.printed().endswith("Stopped, because only ended: signal SIGKILL.\n")
    assert all_gone(pids), "its own child was left behind"


@pytest.mark.long
def test_a_process_that_ends_well_ends_the_stack_as_well(hold: Callable[..., Held]) -> None:
    held = hold({"first": FAMILY, "second": "pass"})
    assert held.process.wait(timeout=PATIENCE) == 1
    assert held.printed().endswith("Stopped, because second ended: exit status 0.\n")


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Supervisor(nothing) as supervisor:
        supervisor.start("missing", str(tmp_path / "no-such-program"))
        with pytest.raises(ServiceEndedError) as ended:
            supervisor.tick(20)
    assert ended.value.tail == (
        f"{tmp_path}/no-such-program cannot be started: No such file or directory",
    )


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, signal.SIGINT, pytest.param(signal.SIGHUP, marks=pytest.mark.long)],
)
def test_a_signal_that_asks_for_the_end_leaves_no_process(
    hold: Callable[..., Held], number: int
) -> None:
    held = hold({"first": FAMILY, "second": FAMILY})
    everyone = held.pids() + held.guards()
    assert held.end(number) == 0
    assert all_gone(everyone)
    assert held.printed().endswith("Stopped.\n")


@pytest.mark.long
def test_a_second_ctrl_c_does_not_cut_the_stop_short(
    hold: Callable[..., Held], tmp_path: Path
) -> None:
    sealed = tmp_path / "sealed"
    held = hold({"receiver": TIDY.format(path=str(sealed))})
    held.pids()
    held.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert held.end(signal.SIGINT) == 0
    assert sealed.exists()


def test_a_process_has_time_to_seal_its_files(hold: Callable[..., Held], tmp_path: Path) -> None:
    sealed = tmp_path / "sealed"
    held = hold({"receiver": TIDY.format(path=str(sealed))})
    held.pids()
    assert held.end() == 0
    assert sealed.read_text() == "sealed"


@pytest.mark.long
def test_a_process_that_ignores_sigterm_is_killed_with_its_children(
    hold: Callable[..., Held],
) -> None:
    held = hold({"deaf": DEAF, "other": FAMILY}, grace=1)
    pids = held.pids()
    assert held.end() == 0
    assert all_gone(pids)
    assert "deaf              | still there 1 s after SIGTERM; killed" in held.printed()


def test_a_supervisor_that_is_killed_leaves_no_process(hold: Callable[..., Held]) -> None:
    held = hold({"first": FAMILY, "deaf": DEAF}, grace=1)
    everyone = held.pids() + held.guards()
    held.end(signal.SIGKILL)
    eventually(lambda: all_gone(everyone))


def test_the_files_are_sealed_even_when_the_supervisor_is_killed(
    hold: Callable[..., Held], tmp_path: Path
) -> None:
    sealed = tmp_path / "sealed"
    held = hold({"receiver": TIDY.format(path=str(sealed))})
    held.pids()
    held.end(signal.SIGKILL)
    eventually(sealed.exists)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="other kernels cannot signal a parent's death")
def test_a_process_does_not_outlive_supervisor_and_guard(hold: Callable[..., Held]) -> None:
    held = hold({"only": FAMILY})
    leader, _grandchild = held.pids()
    guards = [psutil.Process(pid) for pid in held.guards()]
    held.process.kill()
    for guard in guards:
        guard.kill()
    eventually(lambda: all_gone([leader]))


def test_a_command_that_is_to_end_is_waited_for() -> None:
    lines: list[tuple[str, str]] = []
    with Supervisor(lambda name, line: lines.append((name, line))) as supervisor:
        supervisor.run("prepare", sys.executable, "-c", "print('made it')")
    assert lines == [("prepare", "made it")]


def test_a_command_that_is_to_end_well_and_does_not_is_an_error() -> None:
    with Supervisor(nothing) as supervisor, pytest.raises(ServiceEndedError) as ended:
        supervisor.run("prepare", sys.executable, "-c", "import sys; sys.exit('no room')")
    assert (ended.value.name, ended.value.status, ended.value.tail) == ("prepare", 1, ("no room",))
