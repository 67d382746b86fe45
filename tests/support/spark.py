"""Apache Spark beside the tests: a master and two workers, and a dbt that computes there."""

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from landed.settings import ROOT
from tests.support.processes import free_port

SECONDS = 120

_DEFAULTS = """
spark.master {master}
spark.driver.bindAddress 127.0.0.1
spark.driver.host 127.0.0.1
spark.driver.memory 1g
spark.executor.cores 1
spark.executor.memory 600m
spark.sql.shuffle.partitions 2
spark.ui.enabled false
spark.ui.showConsoleProgress false
spark.sql.warehouse.dir {folder}/tables
spark.hadoop.javax.jdo.option.ConnectionURL jdbc:derby:;databaseName={folder}/metastore;create=true
spark.driver.extraJavaOptions -Dderby.system.home={folder} -XX:TieredStopAtLevel=1
spark.executor.extraJavaOptions -XX:TieredStopAtLevel=1
"""
"""What a cluster is told: small, on loopback, and Spark's own metastore in a folder."""

_LOGS = """
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n
"""


def require() -> None:
    """Leave the tests out, and say so, where Spark cannot run."""
    if find_spec("pyspark") is None:
        pytest.skip("pyspark is not installed: `make test-scale` installs requirements-spark.lock")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17: Debian's package openjdk-17-jre-headless")


class Cluster:
    """A master and two workers, each a process of its own, as their own scripts start them.

    Attributes:
        master: its address.
        folder: where its tables, its metastore and its settings are.
    """

    def __init__(self, folder: Path) -> None:
        """Start nothing yet."""
        port, self._page = free_port(), free_port()
        self.master = f"spark://127.0.0.1:{port}"
        self.folder = folder
        self._port = port
        self._processes: list[subprocess.Popen[bytes]] = []
        conf = folder / "conf"
        conf.mkdir(parents=True)
        (conf / "spark-defaults.conf").write_text(
            _DEFAULTS.format(master=self.master, folder=folder)
        )
        (conf / "log4j2.properties").write_text(_LOGS)
        self.environment = {"SPARK_CONF_DIR": str(conf), "SPARK_LOCAL_IP": "127.0.0.1"}

    @contextmanager
    def running(self) -> Iterator["Cluster"]:
        """Start it; both workers are there then. At the end all its processes are stopped."""
        try:
            deploy = "org.apache.spark.deploy"
            here = ("--host", "127.0.0.1", "--webui-port")
            self._start(
                "master",
                f"{deploy}.master.Master",
                *here,
                str(self._page),
                "--port",
                str(self._port),
            )
            self._await(lambda found: found["status"] == "ALIVE")
            for name in ("first", "second"):
                self._start(
                    name, f"{deploy}.worker.Worker", *here, "0", "--cores", "1", "--memory", "1g",
                    "--work-dir", str(self.folder / name), self.master,
                )  # fmt: skip
            self._await(lambda found: found["aliveworkers"] == 2)
            yield self
        finally:
            for process in self._processes:
                process.terminate()
            for process in self._processes:
                process.wait(SECONDS)

    def executors(self) -> dict[str, int]:
        """How many executors each worker has started."""
        return {
            name: len(list((self.folder / name).glob("app-*/*"))) for name in ("first", "second")
        }

    def _start(self, name: str, *command: str) -> None:
        import pyspark  # noqa: PLC0415 - only where it is installed

        home = Path(pyspark.__file__).parent
        log = (self.folder / f"{name}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [home / "bin" / "spark-class", *command],
                env=os.environ | self.environment | {"SPARK_HOME": str(home)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._processes.append(process)

    def _await(self, is_there: Any) -> None:
        address = f"http://127.0.0.1:{self._page}/json/"
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            assert all(process.poll() is None for process in self._processes), self._said()
            try:
                with urllib.request.urlopen(address) as answer:
                    if is_there(json.load(answer)):
                        return
            except OSError:
                pass
            time.sleep(0.2)
        raise AssertionError(self._said())

    def _said(self) -> str:
        return "\n".join(log.read_text() for log in sorted(self.folder.glob("*.log")))


class Dbt:
    """A process in which dbt runs with Spark for its engine, time after time in one session."""

    def __init__(self, cluster: Cluster, raw: Path) -> None:
        """Start it.

        Args:
            cluster: What computes.
            raw: Where the exported raw tables are.
        """
        self._here, there = get_context("spawn").Pipe()
        self._log = cluster.folder / "dbt.log"
        environment = cluster.environment | {
            "SEAMLINE_EXPORT_RAW": str(raw),
            "DBT_TARGET_PATH": str(cluster.folder / "target"),
            "DBT_LOG_PATH": str(cluster.folder / "logs"),
            "DBT_USE_COLORS": "false",
        }
        self._process = get_context("spawn").Process(
            target=_serve, args=(there, environment, self._log)
        )
        self._process.start()
        there.close()

    def run(self, *arguments: str) -> str:
        """`dbt run`; it has to succeed.

        Returns:
            What it printed.
        """
        is_done, said = self.try_run(*arguments)
        assert is_done, said
        return said

    def try_run(self, *arguments: str) -> tuple[bool, str]:
        """`dbt run`; return whether it succeeded, and what it printed."""
        before = self._log.stat().st_size if self._log.exists() else 0
        done = self._ask("dbt", ("run", *arguments))
        with self._log.open("rb") as log:
            log.seek(before)
            return bool(done), log.read().decode()

    def rows(self, table: str) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
        """The columns of a table or view with their types, and its rows."""
        columns, rows = self._ask("rows", table)
        return columns, rows

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """The answer to a statement."""
        rows: list[tuple[Any, ...]] = self._ask("sql", statement)
        return rows

    def stop(self) -> None:
        """End the process, and its session with it."""
        self._here.send(("stop", None))
        self._process.join(SECONDS)
        assert self._process.exitcode == 0

    def _ask(self, what: str, how: object) -> Any:
        self._here.send((what, how))
        try:
            return self._here.recv()
        except EOFError:
            raise AssertionError(self._log.read_text()) from None


def _serve(asked: Connection, environment: dict[str, str], log: Path) -> None:
    """Do what is asked, until it is to stop."""
    os.environ.update(environment)
    os.chdir(ROOT)
    for name in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), name)
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 - seconds
    from pyspark.sql import SparkSession  # noqa: PLC0415

    project = ("--project-dir", "dbt_project", "--profiles-dir", ".", "--target", "spark")
    while True:
        what, how = asked.recv()
        if what == "dbt":
            asked.send(dbtRunner().invoke([*how, *project]).success)
        elif what == "stop":
            session = SparkSession.getActiveSession()
            if session:
                session.stop()
            return
        else:
            found = SparkSession.builder.getOrCreate().sql(
                f"select * from {how}" if what == "rows" else how
            )
            rows = [tuple(row) for row in found.collect()]
            asked.send((dict(found.dtypes), rows) if what == "rows" else rows)
