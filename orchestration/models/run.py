"""How dbt is called: from Dagster, from `make load`, and to prepare the project.

In this process rather than as a command: Dagster's way of calling one imports dbt twice more
around it. In a run on a busy machine 19 of 45 s passed before the command had begun
(docs/decisions/0005-one-run-one-writer.md).
"""

import json
import logging
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from dbt.artifacts.schemas.run import RunResult
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from dbt.exceptions import ParsingError
from dbt_common.exceptions import CompilationError, DbtConfigError, DbtValidationError

from landed.settings import MB, ROOT
from orchestration.audit import completeness
from orchestration.errors import DbtFailedError
from orchestration.loading.insert import highest_load
from orchestration.models import back_off, command, up_to_date
from orchestration.models.manifest import own_folder
from orchestration.models.order import beginning_with
from orchestration.models.own_models import FOLDERS, PROJECT, is_own
from orchestration.models.project_files import PROJECT_DIR
from orchestration.settings import Settings
from orchestration.warehouse import connection
from orchestration.warehouse.writer_lock import marts_lock, writer_lock

log = logging.getLogger(__name__)

LOG_BYTES = 10 * MB
"""The size at which dbt begins another log; it keeps five more."""


def export_settings(settings: Settings) -> None:
    """Give dbt, which does not read `.env`, the settings its profile asks the environment for."""
    os.environ[command.INTEGRATION_NAME] = settings.integration_name


def parse(settings: Settings) -> Path:
    """Parse the project, or our part of it alone where dbt cannot read the rest.

    Returns:
        Where dbt has written its manifest; the next command may write another there.

    Raises:
        DbtFailedError: the project cannot be parsed.
    """
    command_line = ["parse", "--quiet"]
    _invoke(settings, command_line)
    manifest = _target(settings) / "manifest.json"
    if cycle := _cycle(manifest):
        _results(_command_on_ours(settings, command_line, dbtRunnerResult(False, cycle)))
    return manifest


@contextmanager
def keeping_project(settings: Settings) -> Iterator[None]:
    """Have dbt read the project once for all commands of a `with` block that run models.

    Args:
        settings: Where dbt's folder is.
    """
    outcome = _command(settings, ["parse", "--quiet", "--no-write-json"], PROJECT_DIR)
    # what cannot be read is read again by each command, which says so and runs our part of it
    if isinstance(outcome.result, Manifest):
        _kept.append(outcome.result)
    try:
        yield
    finally:
        _kept.clear()


_kept: list[Manifest] = []
"""The project as dbt has read it, while it is kept."""


def run_models(
    settings: Settings,
    select: Iterable[str] = (),
    *,
    full_refresh: bool = False,
    is_replay: bool = False,
    is_counted: bool = True,
    first: Sequence[str] = (),
) -> list[RunResult]:
    """Bring models up to date with the raw tables, and count what became of every line.

    A model that fails takes nothing from the others: what they did counts, and is noted.

    Args:
        settings: Where the warehouse is.
        select: Names of models, or what `selector` says; all of them if there are none.
        full_refresh: Whether to build them anew from all that was loaded.
        is_replay: Whether only rows that are there are derived again.
        is_counted: Whether to count; else the caller does, with `count_lines`.
        first: Names of models to begin with, of those that do not wait for others.

    Returns:
        dbt's result for each model, in the order they were done, failed ones included.

    Raises:
        DbtFailedError: dbt could not start on the models.
        WriterBusyError: another writer did not finish in time; nothing was changed.
    """
    names = list(select)
    # its artifacts are for nobody: writing them takes a second of each run
    arguments = ["run", "--no-write-json", *(["--select", *names] if names else [])]
    if full_refresh:
        arguments.append("--full-refresh")
    # one turn for all, before another writer adds what the models have not seen
    with writer_lock(settings):
        with beginning_with(first):
            results = list(_invoke(settings, arguments))
        with connection.connect(settings) as con:
            done = _note(con, results)
            if is_counted:
                count = completeness.count_all if is_replay or full_refresh else completeness.count
                count(con, settings, completeness.NOTHING if is_replay else done)
    return results


def run_all_models(settings: Settings) -> None:
    """Bring every model up to date, a user's too; one of theirs that cannot be is named.

    Raises:
        DbtFailedError: one of ours could not be; the text says which and why.
    """
    made = up_to_date.made_from(settings)
    with writer_lock(settings):
        results = run_models(settings)
        up_to_date.note(settings, made, results)
    require_own(results)


def count_lines(settings: Settings, modelled: Collection[str] = (), last_load: int = 0) -> None:
    """Count what became of every line behind models that ran before.

    Args:
        settings: Where the warehouse is.
        modelled: The models that went well when they were run last.
        last_load: The last load that they have had. If there are later ones, nobody knows which of
            these a model has had, and all of them wait.

    Raises:
        WriterBusyError: another writer did not finish in time; nothing was changed.
    """
    with writer_lock(settings), connection.connect(settings) as con:
        known = modelled if highest_load(con) <= last_load else ()
        completeness.count(con, settings, dict.fromkeys(known))


def build_anew(settings: Settings, calls: Iterable[str]) -> list[RunResult]:
    """Build tables anew from all that was loaded, and our views on them: columns may change.

    What columns.yml says now of these tables is in force for each when it is exchanged.

    Args:
        settings: Where the warehouse is.
        calls: The calls whose tables they are.

    Returns:
        As `run_models`.

    Raises:
        DbtFailedError: dbt could not start on the models.
        WriterBusyError: another writer did not finish in time; nothing was changed.
    """
    select = [
        name
        for call in calls
        for name in (
            *(f"stg_segment__{call}", call),
            *(f"{call}+,fqn:{PROJECT}.{folder}.*" for folder in FOLDERS),
        )
    ]
    return run_models(settings, select, full_refresh=True)


def run_marts(settings: Settings, select: Iterable[str]) -> list[RunResult]:
    """Run models of a user's; loads go on while these are computed, as beside.py says.

    Args:
        settings: Where the warehouse is.
        select: What `selector` says of each.

    Returns:
        dbt's result for each model, failed ones included.

    Raises:
        DbtFailedError: dbt could not start on the models.
        WriterBusyError: others were run, or another writer wrote, for too long.
    """
    with marts_lock(settings):
        with command.giving_way():
            results = list(_invoke(settings, ["run", "--no-write-json", "--select", *select]))
        with writer_lock(settings), connection.connect(settings) as con:
            _note(con, results)
    return results


def _note(con: duckdb.DuckDBPyConnection, results: Iterable[RunResult]) -> dict[str, float]:
    """Write down which models went well and which failed; return the first with their seconds."""
    done = {
        known_as(result.node): result.execution_time
        for result in results
        if result.status == "success"
    }
    back_off.note(con, set(done), {known_as(result.node) for result in results} - done.keys())
    return done


def known_as(node: Any) -> str:
    """A model's name; for one that is not ours dbt's id, as it may be called what ours is."""
    return str(node.name if is_own(node.fqn) else node.unique_id)


def selector(fqn: Sequence[str]) -> str:
    """What dbt is told to select by a node's `fqn`."""
    return "fqn:" + re.sub(r"[^\w.-]", "?", ".".join(fqn))


def run_tests(settings: Settings, tests: Iterable[Sequence[str]]) -> list[RunResult]:
    """Run data tests. Like all that only reads they take no lock, and wait for nobody.

    Args:
        settings: Where the warehouse is.
        tests: dbt's `fqn` of each.

    Returns:
        dbt's result for each test, also of those that fail.

    Raises:
        DbtFailedError: dbt could not start on the tests.
    """
    only = ["--select", *map(selector, tests), "--indirect-selection", "empty"]
    return list(_invoke(settings, ["test", "--no-write-json", *only]))


def forget_statements(settings: Settings) -> None:
    """Remove the SQL of past runs, in which names of columns and events stand, from logs too."""
    for kind in ("compiled", "run"):
        shutil.rmtree(_target(settings) / kind, ignore_errors=True)
    for log_file in _logs(settings).glob("dbt.log*"):
        if log_file.name == "dbt.log":
            os.truncate(log_file, 0)  # it may be open, and is written at its end
        else:
            log_file.unlink(missing_ok=True)


def folders_by_hand() -> list[Path]:
    """Where dbt writes that somebody runs by hand, as far as the project and we are told."""
    told = [os.environ.get(name) for name in ("DBT_LOG_PATH", "DBT_TARGET_PATH")]
    return [PROJECT_DIR / "logs", PROJECT_DIR / "target", *(Path(path) for path in told if path)]


def failures(results: Iterable[RunResult]) -> list[str]:
    """The models that were not brought up to date, a line each with dbt's reason."""
    return [
        f"{result.node.name}: {result.message}" for result in results if result.status != "success"
    ]


def require_own(results: Iterable[RunResult]) -> None:
    """See that the project's own models were brought up to date; name in a line what else was not.

    Raises:
        DbtFailedError: one of ours was not; the text says which, and why.
    """
    failed = [result for result in results if result.status != "success"]
    if any(is_own(result.node.fqn) for result in failed):
        raise DbtFailedError("\n".join(failures(failed)))
    if failed:
        log.warning(
            "Models that are yours or a package's failed: %s. All else was done. Mend or remove "
            "them, then `dbt run --project-dir dbt_project --select %s`.",
            "; ".join(map(_in_a_line, failures(failed))),
            " ".join(result.node.name for result in failed),
        )


def _in_a_line(text: str) -> str:
    return " ".join(text.split())


def _invoke(settings: Settings, arguments: list[str]) -> Iterable[RunResult]:
    """Run a command on the project; on our part of it alone, if dbt cannot read the rest."""
    outcome = _command(settings, arguments, PROJECT_DIR)
    if _is_unreadable(outcome.exception):
        outcome = _command_on_ours(settings, arguments, outcome)
    return _results(outcome)


def _command(settings: Settings, arguments: list[str], project: Path) -> dbtRunnerResult:
    export_settings(settings)
    where = [
        *("--project-dir", str(project)),
        *("--profiles-dir", str(ROOT)),
        *("--target-path", str(_target(settings))),
        *("--log-path", str(_logs(settings))),
        *("--log-file-max-bytes", str(LOG_BYTES)),
    ]
    known = next(iter(_kept), None) if arguments[0] == "run" and project == PROJECT_DIR else None
    return dbtRunner(manifest=known).invoke([*arguments, *where])


def _command_on_ours(
    settings: Settings, arguments: list[str], outcome: dbtRunnerResult
) -> dbtRunnerResult:
    """Run it on a copy of the project without what a user has added in folders of their own.

    Returns:
        What came of it; of the whole project, as given, if it is ours that dbt cannot read.
    """
    with TemporaryDirectory() as folder:
        project = Path(folder)
        for models in FOLDERS:
            shutil.copytree(PROJECT_DIR / "models" / models, project / "models" / models)
        for name in ("macros", "tests/generic"):
            (project / name).mkdir(parents=True)
            for path in (PROJECT_DIR / name).glob("*.sql"):
                shutil.copy2(path, project / name)
        shutil.copy2(PROJECT_DIR / "dbt_project.yml", project)
        alone = _command(settings, arguments, project)
    if _is_unreadable(alone.exception):
        return outcome
    log.warning(
        "dbt cannot read what has been added to the project: %s. Seamline's own models go on, and "
        "without yours. Mend or remove what it names.",
        _in_a_line(str(outcome.exception)).rstrip("."),
    )
    return alone


_OF_THE_PROJECT = (CompilationError, DbtConfigError, DbtValidationError, ParsingError)


def _is_unreadable(error: BaseException | None) -> bool:
    """Whether it is what the project says, and not what becomes of it, that dbt stopped at."""
    is_cycle = isinstance(error, RuntimeError) and "Found a cycle" in str(error)
    return is_cycle or isinstance(error, _OF_THE_PROJECT)


def _cycle(manifest: Path) -> RuntimeError | None:
    """What dbt says of models that read each other once it runs them, and not when it parses."""
    parents = json.loads(manifest.read_bytes()).get("parent_map", {})
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        return RuntimeError(f"Found a cycle: {' --> '.join(error.args[1])}")
    return None


def _results(outcome: dbtRunnerResult) -> Iterable[RunResult]:
    if outcome.exception is not None:
        raise DbtFailedError(str(outcome.exception)) from outcome.exception
    return getattr(outcome.result, "results", ())


def _logs(settings: Settings) -> Path:
    return own_folder(settings) / "logs"


def _target(settings: Settings) -> Path:
    return own_folder(settings) / "target"
