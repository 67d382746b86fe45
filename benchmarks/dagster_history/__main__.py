"""`make bench-dagster`: how long Dagster's pages take behind a week of loads every five seconds.

Runs are launched as the product launches them, and one of them stays while events are landed. What
they wrote to Dagster's SQLite files is then written again and again, under other run ids and with
other times, hour by hour and pass by pass: so each row is one that Dagster itself wrote. The upkeep
removes what it removes, and headless Chromium opens the pages.
"""

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import psutil

from benchmarks.dagster_history import pages
from benchmarks.dagster_history.copied_runs import Run, copy_hours, newest_runs, read_back
from benchmarks.free_port import free_port
from benchmarks.landed_events import land
from landed.settings import ROOT
from orchestration.settings import Settings
from orchestration.upkeep import dagster_storage

PASS_SECONDS = 5.0
"""Between two loads."""

EVENTS = 100
"""Of one load."""

JOBS = {"load": 1, "watch": 4, "upkeep": 1, "erase": 1}
"""What runs in an hour, and how often."""

_LAUNCH = """
mutation ($job: String!, $tags: [ExecutionTag!]!) {
  launchRun(executionParams: {
    selector: {
      repositoryName: "__repository__", repositoryLocationName: "seamline", jobName: $job
    }
    executionMetadata: {tags: $tags}
  }) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
_STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
_PATIENCE = 900.0


class Webserver:
    """Dagster's webserver, asked as its UI asks it."""

    def __init__(self, port: int, process: int) -> None:
        """Ask this process on this port of loopback."""
        self.url = f"http://127.0.0.1:{port}"
        self._process = psutil.Process(process)

    def processes(self) -> list[int]:
        """The ids of its processes: its own, and that of the project's code."""
        return [self._process.pid, *(one.pid for one in self._process.children(recursive=True))]

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """Return the data that a query is answered with."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)  # noqa: S310 - our own
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
            found: dict[str, Any] = json.load(answer)
        if "errors" in found:
            raise SystemExit(f"Dagster answered: {found['errors']}")
        data: dict[str, Any] = found["data"]
        return data

    def launch(self, job: str, tags: Mapping[str, str]) -> str:
        """Launch a run; return its id."""
        given = [{"key": key, "value": value} for key, value in tags.items()]
        said = self.ask(_LAUNCH, job=job, tags=given)["launchRun"]
        if "run" not in said:
            raise SystemExit(f"Dagster launches no run of {job}: {said}")
        return str(said["run"]["runId"])

    def is_over(self, run_id: str) -> bool:
        """Whether a run has ended; it has to have gone well."""
        status = self.ask(_STATUS, id=run_id)["runOrError"]["status"]
        if status in {"FAILURE", "CANCELED"}:
            raise SystemExit(f"Run {run_id} of the sample ended as {status}.")
        return bool(status == "SUCCESS")

    def wait(self, run_id: str) -> None:
        """Wait until a run has gone well."""
        deadline = time.monotonic() + _PATIENCE
        while not self.is_over(run_id):
            if time.monotonic() > deadline:
                raise SystemExit(f"Run {run_id} of the sample does not end.")
            time.sleep(1)


@contextmanager
def webserver(folder: Path) -> Iterator[Webserver]:
    """Start the webserver as the stack does, and stop it with the end of the `with` block."""
    port = free_port()
    with (folder / "webserver.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stack.dagster_ui"],
            cwd=ROOT,
            env=os.environ | {"SEAMLINE_DAGSTER_PORT": str(port)},
            stdout=log,
            stderr=log,
        )
    try:
        server = Webserver(port, process.pid)
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                server.ask("{ version }")
                break
            except (OSError, urllib.error.URLError):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit((folder / "webserver.log").read_text()[-2000:]) from None
                time.sleep(0.5)
        yield server
    finally:
        process.terminate()
        process.wait()


def settings_in(folder: Path) -> Settings:
    """Lead this process, and those that it starts, to an installation in a folder."""
    os.environ |= {
        "SEAMLINE_LANDING": str(folder / "landing"),
        "SEAMLINE_WAREHOUSE": f"ducklake:sqlite:{folder}/warehouse/catalog.sqlite",
        "SEAMLINE_SOURCES": str(folder / "sources.toml"),
        "SEAMLINE_COLUMNS": str(folder / "columns.yml"),
        "SEAMLINE_QUIET_SECONDS": "30",
        "DAGSTER_HOME": str(folder / "dagster"),
    }
    return Settings()


def make_sample(folder: Path, settings: Settings, seconds: float) -> None:
    """Have each job run once, and the load for a while, with events every five seconds."""
    prepare = [sys.executable, "-m", "orchestration", "prepare"]
    subprocess.run(prepare, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    with webserver(folder) as server:
        _land(settings.landing, folder / "new", 0)
        load = server.launch("load", {"seamline/stays": "true"})
        until = time.monotonic() + seconds
        number = 0
        while time.monotonic() < until:
            number += 1
            time.sleep(PASS_SECONDS)
            _land(settings.landing, folder / "new", number)
        server.wait(load)
        for job in JOBS.keys() - {"load"}:
            server.wait(server.launch(job, {}))


def _land(landing: Path, aside: Path, number: int) -> None:
    land(aside, EVENTS, seed=number)
    for path in sorted(aside.glob("*/*.ndjson")):
        target = landing / path.parent.name
        target.mkdir(parents=True, exist_ok=True)
        path.rename(target / path.name)


def purge(settings: Settings, runs: Mapping[str, Run]) -> None:
    """Do what the hourly upkeep does to Dagster's storage, and see that it can be read."""
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        print(dagster_storage.purge(instance, settings))
        read_back(instance, runs)
    print(f"{_size(settings) / 1e6:,.0f} MB of Dagster's storage are left")


def _size(settings: Settings) -> int:
    return sum(path.stat().st_size for path in settings.dagster_home.rglob("*") if path.is_file())


def main() -> None:
    """Make the history, open the pages, write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=168, help="how long the history is")
    parser.add_argument("--sample-seconds", type=float, default=150.0)
    parser.add_argument("--folder", type=Path, help="where it is made, and left; else it goes")
    parser.add_argument("--times", type=int, default=3, help="how often each page is opened")
    parser.add_argument("--pictures", type=Path, help="a folder for a picture of each page")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        settings = settings_in(folder)
        if not (folder / "sample").exists():
            make_sample(folder, settings, given.sample_seconds)
            shutil.copytree(settings.dagster_home / "history", folder / "sample")
        runs = newest_runs(folder / "sample", list(JOBS))
        began = time.monotonic()
        copied = copy_hours(runs, settings.dagster_home / "history", given.hours, JOBS)
        print(f"{copied} in {time.monotonic() - began:.0f} s")
        purge(settings, runs)
        with webserver(folder) as server:
            seen = pages.open_pages(
                server.url, server.processes(), _pages(settings, runs), given.times, given.pictures
            )
        pages.write_page(seen, copied, _size(settings), given.hours)


def _pages(settings: Settings, runs: Mapping[str, Run]) -> dict[str, str]:
    """What an operator opens, and where it is."""
    with sqlite3.connect(settings.dagster_home / "history" / "runs.db") as database:
        rows = database.execute(
            "select run_id from runs where pipeline_name = 'load' and run_id <> ? "
            "order by start_time desc limit 1",
            [runs["load"].run_id],
        ).fetchall()
    schema = settings.schema_name
    return {
        "the overview of runs": "/overview/activity/timeline",
        "all runs": "/runs",
        "a run of an hour": f"/runs/{rows[0][0]}",
        "all assets": "/assets",
        "the graph": "/asset-groups",
        f"{schema}.track": f"/assets/{schema}/track",
        f"{schema}.track, its events": f"/assets/{schema}/track?view=events",
        f"{schema}.track, its plots": f"/assets/{schema}/track?view=plots",
        "raw.track, its plots": "/assets/raw/track?view=plots",
        "completeness, its checks": f"/assets/{schema}/completeness?view=checks",
        "the jobs": "/jobs",
        "sensors and schedules": "/automation",
    }


if __name__ == "__main__":
    main()
