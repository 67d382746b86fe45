"""`python -m receiver import`, really run, and what it has landed."""

import base64
import gzip
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from landed.folders import CALLS
from landed.settings import ROOT
from orchestration.loading.load import load
from orchestration.settings import Settings
from receiver.__main__ import main
from tests.support.receiver.landing import payload_of, whole_lines
from tests.support.warehouse import reading

SECONDS = 120
KINDS = ("track", "page", "identify", "screen", "group", "alias")


def event(message_id: str, call: str = "track", **more: object) -> bytes:
    """Return an event as Segment's archive has it."""
    archived = {"receivedAt": "2024-05-01T10:00:01.000Z", "sentAt": "2024-05-01T10:00:00.000Z"}
    return json.dumps({"type": call, "messageId": message_id, "n": 1e21} | archived | more).encode()


def events(prefix: str, number: int, size: int = 0) -> list[bytes]:
    """Return events of all calls, with ids of their own, each at least so many bytes long."""
    return [
        event(f"{prefix}-{n}", KINDS[n % len(KINDS)], padding="x" * size) for n in range(number)
    ]


def write(path: Path, lines: list[bytes], *, packed: bool | None = None) -> Path:
    """Write a file of lines, packed if its name says so, unless told otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b"".join(line + b"\n" for line in lines)
    is_packed = path.suffix == ".gz" if packed is None else packed
    path.write_bytes(gzip.compress(data, 1) if is_packed else data)
    return path


def command(*arguments: str | Path, prelude: str = "") -> list[str]:
    """Return the command that imports, with Python that runs before it does."""
    run = "import runpy; runpy.run_module('receiver', run_name='__main__')"
    return [sys.executable, "-c", f"{prelude}\n{run}", "import", *map(str, arguments)]


class Result(NamedTuple):
    """What a command said, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def run_import(*arguments: str | Path, **settings: object) -> Result:
    """Import in this process, with the environment's settings and some others."""
    out, err = io.StringIO(), io.StringIO()
    mask = os.umask(0)
    status: object = 0
    with (
        patch.dict(os.environ, environment(**settings)),
        patch.object(sys, "argv", ["receiver", "import", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
    os.umask(mask)
    if not isinstance(status, int):  # a message, which Python would print
        err.write(f"{status}\n")
    return Result(status if isinstance(status, int) else 1, out.getvalue(), err.getvalue())


def run_process(*arguments: str | Path, prelude: str = "", **settings: object) -> Result:
    """Import in a process of its own, with Python that runs before it does."""
    done = subprocess.run(
        command(*arguments, prelude=prelude),
        cwd=ROOT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def environment(**settings: object) -> dict[str, str]:
    """Return the environment with settings of the receiver's in it; no room is kept free."""
    values = {"reserve_bytes": 0} | settings
    return os.environ | {f"SEAMLINE_{name.upper()}": str(value) for name, value in values.items()}


def parsed(landing: Path, *calls: str) -> list[dict[str, Any]]:
    """Return the landed lines of some calls, or of all, parsed."""
    return [json.loads(line) for line in whole_lines(landing, *calls)]


def payloads(landing: Path, *calls: str) -> set[bytes]:
    """Return the payloads of the landed events, as they stand in the files."""
    return {payload_of(line) for line in whole_lines(landing, *(calls or CALLS))}


def rejects(landing: Path) -> dict[bytes, str]:
    """Return what was rejected, with the reasons."""
    return {base64.b64decode(one["body"]): one["reason"] for one in parsed(landing, "rejected")}


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, with what is in them."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def loaded_ids(settings: Settings) -> list[str]:
    """Load what has landed; return the ids of all rows of the raw tables, copies included."""
    load(settings)
    ids: list[str] = []
    with reading(settings) as con:
        for call in CALLS:
            ids += [row[0] for row in con.sql(f'select message_id from raw."{call}"').fetchall()]
    return sorted(ids)
