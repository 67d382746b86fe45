"""Whether the process of a run lives is the kernel's to say."""

import os
import signal

from orchestration.defs import run_process
from orchestration.settings import Settings

RUN = "6647ac2c"


def test_a_run_that_has_not_signed_says_nothing(settings: Settings) -> None:
    assert run_process.is_alive(settings, RUN) is None


def test_a_run_lives_as_long_as_it_holds_its_file(settings: Settings) -> None:
    with run_process.signed(settings, RUN):
        assert run_process.is_alive(settings, RUN) is True
        assert run_process.is_alive(settings, "another") is None

    assert run_process.is_alive(settings, RUN) is None


def test_two_runs_at_once_are_told_apart(settings: Settings) -> None:
    with run_process.signed(settings, RUN), run_process.signed(settings, "another"):
        pass
    with run_process.signed(settings, "another"):
        assert run_process.is_alive(settings, RUN) is None


def test_a_process_that_was_killed_is_dead_at_once(settings: Settings) -> None:
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        with run_process.signed(settings, RUN):
            os.write(tell, b"1")
            signal.pause()
    os.read(told, 1)
    assert run_process.is_alive(settings, RUN) is True

    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    assert run_process.is_alive(settings, RUN) is False
    with run_process.signed(settings, "the next"):  # takes away what it has left
        assert run_process.is_alive(settings, RUN) is None
