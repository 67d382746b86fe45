"""One stack at a time on the same data, and none has to wait for a dead one for long."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from stack.errors import StackError
from stack.lock import NAME, only_stack
from stack.output import say

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_stack_is_refused(tmp_path: Path) -> None:
    with (
        only_stack(tmp_path, say),
        pytest.raises(StackError, match="already running here, as process"),
        only_stack(tmp_path, say),
    ):
        pass


def test_a_stack_that_ended_is_not_in_the_way(tmp_path: Path) -> None:
    for _ in range(2):
        with only_stack(tmp_path, say):
            pass


def test_the_processes_of_a_dead_stack_are_waited_for(tmp_path: Path) -> None:
    lines: list[str] = []
    with only_stack(tmp_path, say) as lock:
        left = subprocess.Popen(
            [sys.executable, "-c", "input()"], pass_fds=[lock], stdin=subprocess.PIPE
        )
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / NAME).write_text(str(dead.pid))

    def say_and_let_it_end(line: str) -> None:
        assert left.poll() is None
        lines.append(line)
        assert left.stdin is not None
        left.stdin.close()

    with only_stack(tmp_path, say_and_let_it_end):
        left.wait(timeout=60)
    assert lines == ["Waiting for the processes of the last run to end …"]
