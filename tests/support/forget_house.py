"""A house in which a person is everywhere, and a look at every byte of it."""

import base64
import io
import itertools
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import zstandard

from landed.settings import ROOT
from orchestration.loading.people import ANONYMOUS, USER, Id
from orchestration.loading.tables import CALLS
from orchestration.settings import Settings
from orchestration.verify import verify
from tests.support import forked, landed
from tests.support.duckdb_config import reading
from tests.support.forked import run_command
from tests.support.made_house import plain_environment

TABLES = ("alias", "group", "identify", "page", "screen", "track")

ALICE = "alice-7f3e/zoë+1"
ALICE_DEVICE = "device-of-alice-5c1d"
NUMBER = 90017342
WHO = {Id(USER, ALICE), Id(ANONYMOUS, ALICE_DEVICE), Id(USER, str(NUMBER))}

_message = itertools.count(1)


def event(call: str, **fields: object) -> dict[str, Any]:
    """An event of a message id of its own."""
    return {"type": call, "messageId": f"m{next(_message)}"} | fields


def track(user: object, message_id: str | None = None, **properties: object) -> dict[str, Any]:
    made = event("track", event="Seen", userId=user, properties=properties)
    return made | ({"messageId": message_id} if message_id else {})


@dataclass
class House:
    """A landing folder and a warehouse."""

    settings: Settings
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def landing(self) -> Path:
        """Its landing folder."""
        return self.settings.landing

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The answer to a query."""
        with reading(self.settings) as con:
            return con.execute(sql).fetchall()

    def hashes(self) -> dict[str, set[tuple[Any, ...]]]:
        """A hash of each row of each final and raw table, beside what it is known by."""
        schema = self.settings.schema_name
        found = {
            f"{schema}.{table}": f'select message_id, hash(t) from {schema}."{table}" as t'
            for table in TABLES
        }
        raw = (*CALLS, "rejected")
        found |= {f"raw.{t}": f'select file, line, hash(t) from raw."{t}" as t' for t in raw}
        return {name: set(self.rows(sql)) for name, sql in found.items()}

    def command(self, *arguments: str, **popen: Any) -> subprocess.Popen[str]:
        """Start `python -m orchestration` on this house."""
        return subprocess.Popen(
            [sys.executable, "-m", "orchestration", *arguments],
            cwd=ROOT,
            env=plain_environment() | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **popen,
        )

    def run(self, *arguments: str) -> str:
        """Run it; it has to succeed."""
        done = run_command(arguments, plain_environment() | self.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


def house_in(folder: Path, seal_seconds: float = 0.3) -> House:
    environment = {
        "SEAMLINE_LANDING": str(folder / "landing"),
        "SEAMLINE_WAREHOUSE": f"ducklake:sqlite:{folder}/warehouse/catalog.sqlite",
        "SEAMLINE_SOURCES": str(folder / "sources.toml"),
        "SEAMLINE_COLUMNS": str(folder / "columns.yml"),
        "SEAMLINE_SEAL_SECONDS": str(seal_seconds),
        "DAGSTER_HOME": str(folder / "dagster"),
    }
    settings = Settings(
        landing=folder / "landing",
        warehouse=environment["SEAMLINE_WAREHOUSE"],
        columns=folder / "columns.yml",
        seal_seconds=seal_seconds,
        DAGSTER_HOME=folder / "dagster",
    )
    return House(settings, environment)


def land_everywhere(landing: Path) -> None:
    """Files of two hours, with the person and others in them."""
    at = "2026-11-22T05:24:46.{:06d}Z".format
    number = itertools.count(1)
    tied = "2026-11-22T05:24:47.000001Z"

    def line(payload: dict[str, Any], **known: Any) -> bytes:
        return landed.line(payload, received_at=at(next(number)), **known)

    escaped = json.dumps(track(ALICE, price=3)).replace("/", "\\/")
    damaged = line(track(ALICE)).replace(b'"v":1', b'"v":1', 1)[:-6] + b'"x"}}\n'
    landed.land(
        landing,
        "track",
        line(track("bob", price=1)),
        line(track(ALICE, "shared", price=2, secret="of alice")),
        landed.line(escaped, received_at=at(next(number))),
        damaged,
        line(track("carl", "shared", price=4)),
        line(track(NUMBER, price=5)),
        line(track("dora", friend="erna-90e1")),
        line(track("erna-90e1", price=6)),
        line(track(ALICE, "tied", price=7)),
        landed.line(track("bob", "tied", price=8), received_at=tied),
    )
    landed.land(
        landing,
        "identify",
        line(event("identify", userId=ALICE, traits={"email": "alice@example.com"})),
        line(event("identify", userId="bob", traits={"email": "bob@example.com"})),
        line(event("identify", anonymousId=ALICE_DEVICE, traits={"age": 44})),
    )
    landed.land(landing, "alias", line(event("alias", userId="new", previousId=ALICE_DEVICE)))
    landed.land(landing, "group", line(event("group", userId="bob", groupId="g")))
    landed.land(
        landing,
        "page",
        line(event("page", anonymousId=ALICE_DEVICE, userId=None)),
        line(event("page", anonymousId="device-of-bob")),
    )
    bodies = [
        json.dumps({"type": "odd", "userId": ALICE}).encode(),
        json.dumps({"type": "odd", "userId": "bob"}).encode(),
        b'{"type":"track","userId":"' + ALICE.encode() + b'", oh no',
        json.dumps([{"userId": "bob"}, {"userId": ALICE}]).encode("utf-16-le"),
        b'{"userId": 90017342, "x": }',
    ]
    landed.land(landing, "rejected", *(landed.rejected_line(body) for body in bodies))
    name = "20261122T040000000000Z-test-1-00000000-{:06d}.ndjson"
    for n, call in enumerate(("track", "page")):
        early = "2026-11-22T04:00:00.{:06d}Z".format
        lines = [
            landed.line(event(call, userId=who, event="Early"), received_at=early(10 * n + i))
            for i, who in enumerate(("bob", ALICE, "carl"))
        ]
        if call == "track":  # line 500
            lines += [b"\n"] * 496
            lines.append(landed.line(track("carl", "tied", price=9), received_at=tied))
        landed.land(landing, call, *lines, name=name.format(n))


def land_later(landing: Path) -> None:
    """What is not loaded: sealed, abandoned, torn, and put aside."""
    ours = landed.line(track(ALICE), received_at="2026-11-22T06:00:00.000001Z")
    bobs = landed.line(track("bob"), received_at="2026-11-22T06:00:00.000002Z")
    landed.land(landing, "track", ours, bobs)
    landed.land(landing, "track", bobs, ours, ours[:-20], name="20261122T06-o-1-a-1.ndjson.open")
    landed.land(landing, "track", ours[:-9], name="20261122T06-t-1-a-1.ndjson.torn")
    landed.land(landing, "track", bobs, ours, name="20261122T06-c-1-a-1.ndjson.conflict")
    body = landed.rejected_line(json.dumps({"userId": ALICE}).encode(), reason="no_type")
    landed.land(landing, "rejected", body, name="20261122T06-r-1-a-1.ndjson")
    landed.land(landing, "rejected", body[:-5], name="20261122T06-r-1-a-2.ndjson.torn")


def run_models(house: House, *tables: str) -> None:
    """Bring tables up to date, all if none is named; the views on them are not needed here."""
    names = [name for table in tables or TABLES for name in (f"stg_segment__{table}", table)]
    forked.run_models(names, house.environment)


def copy_of(template: Path, folder: Path) -> House:
    """A copy of a house; the receiver is told nothing by it."""
    shutil.copytree(template, folder)
    return house_in(folder)


def troubles_of(house: House) -> list[str]:
    """What `make verify` finds wrong."""
    return verify(house.settings).troubles


def found_in(folder: Path, *ids: str) -> list[str]:
    """Every place below a folder where an id stands, in whatever way it is written or packed."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found += [
                f"{path.relative_to(folder)}: {where}"
                for where, data in _contents(path)
                if any(_holds(data, one) for one in ids)
            ]
    return found


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    data = path.read_bytes()
    yield "bytes", data
    if path.suffix == ".parquet":
        yield "values", _values(path)
    if path.name.endswith(".tar.zst"):
        unpacked = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
        yield "archive", unpacked
        with tarfile.open(fileobj=io.BytesIO(unpacked)) as packed:
            for member in packed:
                inner = packed.extractfile(member)
                assert inner is not None
                yield member.name, _with_bodies(inner.read())
    yield "bodies", _with_bodies(data)


def _values(path: Path) -> bytes:
    """All values of a Parquet file, blobs as they are."""
    with duckdb.connect() as con:
        rows = con.execute("from read_parquet($1)", [str(path)]).fetchall()
    values = [value for row in rows for value in row]
    return b"\n".join(v if isinstance(v, bytes) else str(v).encode() for v in values)


def _with_bodies(data: bytes) -> bytes:
    """The bodies of rejected lines, torn ones too."""
    found = []
    for part in data.split(b'"body":"')[1:]:
        text = part.split(b'"')[0].strip()
        found.append(base64.b64decode(text[: len(text) // 4 * 4], validate=False))
    return b"\n".join(found)


def _holds(data: bytes, one: str) -> bool:
    spelled = {one, json.dumps(one)[1:-1], one.replace("/", "\\/"), quote(one, safe="")}
    spelled |= {json.dumps(one)[1:-1].replace("/", "\\/")}
    forms = [text.encode(encoding) for text in spelled for encoding in ("utf-8", "utf-16-le")]
    return any(form in data for form in forms)
