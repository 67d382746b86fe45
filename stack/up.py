"""The stack from start to stop: `make run`, and what `make demo` stands on."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stack import preflight, sources
from stack.errors import ServiceEndedError, StackError
from stack.lock import only_stack
from stack.output import say
from stack.services import preparation, services
from stack.settings import LOOPBACK
from stack.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stack.settings import Settings


def check(settings: Settings) -> None:
    """See whether the stack can start with these settings.

    Raises:
        StackError: It cannot.
    """
    receiver, orchestration = settings.receiver, settings.orchestration
    preflight.check_folder(receiver.landing, "SEAMLINE_LANDING")
    preflight.check_folder(orchestration.catalog.parent, "SEAMLINE_WAREHOUSE")
    preflight.check_folder(orchestration.data, "SEAMLINE_WAREHOUSE_DATA")
    preflight.check_folder(orchestration.dagster_home, "DAGSTER_HOME")
    preflight.check_ports_differ(receiver.port, orchestration.dagster_port)


def check_ports(settings: Settings) -> None:
    """See whether the stack's ports are free, once no other stack of ours holds them.

    Raises:
        StackError: One of them is not.
    """
    port, dagster_port = settings.receiver.port, settings.orchestration.dagster_port
    preflight.check_port(settings.receiver.host, port, "SEAMLINE_PORT", "the receiver")
    preflight.check_port(LOOPBACK, dagster_port, "SEAMLINE_DAGSTER_PORT", "the Dagster UI")


@contextmanager
def stack_up(settings: Settings, show: Callable[[str, str], None]) -> Iterator[Supervisor]:
    """Check, prepare and start everything; stop it all at the end of the `with` block.

    Args:
        settings: Of all parts.
        show: Called with the name of a process and each line it prints.

    Yields:
        The supervisor, whose `tick` the block has to call while it waits.
    """
    check(settings)
    with only_stack(settings.orchestration.dagster_home, say) as lock:
        check_ports(settings)
        if sources.write_if_missing(settings.receiver.sources):
            say(f"Wrote {settings.receiver.sources} with keys of its own.")
        with Supervisor(show, keep_open=(lock,)) as supervisor:
            say("Preparing the warehouse …")
            supervisor.run(preparation(settings))
            for service in services(settings):
                supervisor.start(service)
            yield supervisor


def with_reason(work: Callable[[], int]) -> int:
    """Do the work, and should it end in problem, print the reason as the last thing.

    Args:
        work: What to do; all it started has stopped when it returns or raises.

    Returns:
        The exit status: the work's, 0 where Ctrl-C or SIGTERM asked for the end, 1 for problem.
    """
    try:
        return work()
    except KeyboardInterrupt:
        say("Stopped.")
        return 0
    except StackError as problem:
        reason = str(problem)
    except ServiceEndedError as ended:
        reason = _reason(ended)
    sys.stdout.flush()
    print(reason, file=sys.stderr)  # noqa: T201
    return 1


def _reason(ended: ServiceEndedError) -> str:
    """Which process ended and how, below the last lines it printed."""
    how = f"exit status {ended.status}"
    if ended.status < 0:
        how = f"signal {signal.Signals(-ended.status).name}"
    lines = "\n".join(f"  | {line}" for line in ended.tail)
    last = f"The last lines of {ended.name}:\n{lines}\n" if lines else ""
    return f"{last}Stopped, because {ended.name} ended: {how}."
