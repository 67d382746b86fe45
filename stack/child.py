"""The guard of one process: `python -m stack.child <grace> <command…>`.

The stack starts every process behind a guard, and holds the other end of the guard's stdin.
When that end closes, because the stack wants so or because it was killed, the guard ends the
command and everything the command has started: SIGTERM to the process group, and SIGKILL to what
is left after `grace` seconds. It does the same when the command ends and leaves processes behind.
Then it ends as the command did.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import subprocess
import sys
import time
from typing import NoReturn

TICK = 0.1
KILL_WAIT = 5.0
CANNOT_START = 127
PR_SET_PDEATHSIG = 1


def guard(command: list[str], grace: float) -> int:
    """Run the command until it ends, or until stdin closes or a signal asks for its end.

    Args:
        command: Program and arguments.
        grace: Seconds between SIGTERM and SIGKILL.

    Returns:
        The command's exit status; negative for the number of the signal that ended it.
    """
    asked: list[int] = []
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)  # each signal ends the wait below, and nothing else has to
    signal.signal(signal.SIGCHLD, lambda _received, _frame: None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # a handler and not SIG_IGN, which the command would inherit
        signal.signal(number, lambda received, _frame: asked.append(received))
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            close_fds=False,  # the stack's lock is to live as long as the command
            process_group=0,
            preexec_fn=_end_with_the_guard,  # noqa: PLW1509 - this process has one thread
        )
    except OSError as error:
        print(f"{command[0]} cannot be started: {error.strerror}", file=sys.stderr)  # noqa: T201
        return CANNOT_START
    while process.poll() is None and not asked:
        if sys.stdin in select.select([sys.stdin, woken], [], [])[0]:
            break  # nothing is ever written to it, so this is its end
        os.read(woken, 4096)
    end_group(process, grace)
    return process.wait()


def end_group(process: subprocess.Popen[bytes], grace: float) -> None:
    """End every process of the group that the process leads, and wait until they are gone."""
    if _gone_after(process, signal.SIGTERM, grace):
        return
    print(f"still there {grace:g} s after SIGTERM; killed", file=sys.stderr)  # noqa: T201
    _gone_after(process, signal.SIGKILL, KILL_WAIT)


def _gone_after(process: subprocess.Popen[bytes], number: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _signal_group(process, number):
        if time.monotonic() > deadline:
            return False
        number = 0  # asked once; from here on only looked at
        time.sleep(TICK / 2)
    return True


def _signal_group(process: subprocess.Popen[bytes], number: int) -> bool:
    """Signal the group, and tell whether there is one. An unreaped leader counts as one."""
    process.poll()
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # the latter: macOS, only zombies left
        return False
    return True


def _end_with_the_guard() -> None:
    """Where the kernel can, have it end the command should this guard be killed as well."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def end_like(status: int) -> NoReturn:
    """End this process with the exit status, or by the signal, that ended the command."""
    if status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command has left its own
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def main() -> None:
    """Guard the command of the command line."""
    grace, *command = sys.argv[1:]
    end_like(guard(command, float(grace)))


if __name__ == "__main__":
    main()
