"""Dagster's daemon with its code server and runs, really started, and killed one by one."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import psutil

from landed.settings import ROOT
from stack.up import SCRIPTS
from tests.support.faults.killed_loads import Sent, ledger_faults
from tests.support.house import TABLES
from tests.support.processes import plain_environment
from tests.support.stack.running_stack import RunningHouse

PATIENCE = 240
"""Seconds for what takes ten on a machine that is not busy, and two minutes after a run's death."""

ON_THEIR_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class LoadingHouse(RunningHouse):
    """A house in which only the loading runs: files are landed by hand."""

    def __init__(self, folder: Path) -> None:
        """Make what has to be there before Dagster starts."""
        super().__init__(folder)
        self.environment["PATH"] = f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"
        self.sent = Sent(self.settings)
        self._groups: list[int] = []

    def start(self) -> None:
        """Start the daemon as `make run` does, after `prepare`."""
        with self.log.open("ab") as log:
            run = {"env": plain_environment() | self.environment, "cwd": ROOT, "stdout": log}
            subprocess.run(
                [sys.executable, "-m", "orchestration", "prepare"], check=True, stderr=log, **run
            )
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stack.dagster_daemon", "run", "-w", "workspace.yaml"],
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **run,
            )
        self._groups.append(self.process.pid)

    def keep_running(self) -> None:
        """Start the daemon again where it has ended, as whoever supervises it does."""
        if self.process is None or self.process.poll() is not None:
            self.start()

    def processes(self) -> list[psutil.Process]:
        """Every process that a daemon of this house has left, itself included."""
        found = []
        for process in psutil.process_iter():
            try:
                if os.getpgid(process.pid) in self._groups:
                    found.append(process)
            except ProcessLookupError:
                continue
        return found

    def kill(self, victim: str) -> None:
        """SIGKILL, once there is such a process."""
        self.wait_for(victim, PATIENCE).kill()
        if victim == "daemon":
            assert self.process is not None
            self.process.wait(timeout=10)

    def kill_run(self, run_id: str) -> None:
        """SIGKILL, to the process that executes a run."""
        with self.instance() as instance:
            logs = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        said = "".join(entry.dagster_event.message or "" for entry in logs if entry.dagster_event)
        found = re.search(r"Executing steps in process \(pid: (\d+)\)", said)
        assert found, said
        psutil.Process(int(found[1])).kill()

    def cancel(self, run_id: str) -> None:
        """As somebody does in the UI."""
        with self.instance() as instance:
            assert instance.run_launcher.terminate(run_id)

    def end(self) -> None:
        """Kill everything that is left."""
        for process in self.processes():
            process.send_signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(timeout=10)

    def forget(self) -> None:
        """Delete all that Dagster remembers."""
        shutil.rmtree(self.environment["DAGSTER_HOME"])

    def instance(self) -> dg.DagsterInstance:
        """What Dagster remembers."""
        return dg.DagsterInstance.from_config(self.environment["DAGSTER_HOME"])

    def catch_up(self, seconds: float) -> float:
        """Wait until every event that was landed is loaded and modelled, exactly once.

        Returns:
            How many seconds that took.
        """
        started = time.monotonic()
        while self._wanting():
            assert time.monotonic() - started < seconds, f"{self._wanting()}\n{self.tail()}"
            time.sleep(0.5)
        assert self.sent.missing() == {}
        assert ledger_faults(self.settings) == {}
        return time.monotonic() - started

    def _wanting(self) -> dict[str, int]:
        """Of each final table, how many events it lacks."""
        rows = {call: self.rows(_COUNTS.format(call))[0] for call in TABLES}
        assert all(count == ids for count, ids in rows.values())
        return {
            call: len(self.sent.ids[call]) - rows[call][0]
            for call in TABLES
            if rows[call][0] != len(self.sent.ids[call])
        }

    def all_runs_end(self, seconds: float) -> float:
        """Wait until no run is on its way any more; return how many seconds that took."""
        started = time.monotonic()
        with self.instance() as instance:
            while instance.get_runs(dg.RunsFilter(statuses=ON_THEIR_WAY)):
                assert time.monotonic() - started < seconds, self.tail()
                time.sleep(0.5)
        return time.monotonic() - started


_COUNTS = 'select count(*), count(distinct message_id) from segment."{}"'
