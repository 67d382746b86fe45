"""Makes the house of an earlier version that the tests here upgrade, by that version's own code.

    git archive --prefix=seamline/ 0ae1ee5 | tar x -C /tmp
    ln -s "$PWD/.venv" /tmp/seamline/.venv
    made="$PWD/tests/upgrade"; cd /tmp/seamline
    .venv/bin/python "$made/make_house.py" "$made/house-0ae1ee5.tar.xz"

It imports nothing of this repository: in that folder `orchestration` and `receiver` are that
version's, and their commands do all that is done here. The people and the keys are made up, and
the machine was called `web1` for it.
"""

import gzip
import hmac
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import urllib.request
from base64 import b64encode
from pathlib import Path

HERE = Path.cwd()
PORT = 18237
KEY = "a-key-for-the-web"
SECRET = "a-secret-of-the-webhook"

SETTINGS = {
    "SEAMLINE_PORT": str(PORT),
    "SEAMLINE_WORKERS": "1",
    "SEAMLINE_SEAL_SECONDS": "1",
    "SEAMLINE_RESERVE_BYTES": "0",
    "SEAMLINE_LOCK_SECONDS": "60",
    "SEAMLINE_SNAPSHOT_DAYS": "30",
}

SOURCES = f"""\
[[source]]
name = "web"
write_keys = ["{KEY}"]

[[source]]
name = "segment"
shared_secrets = ["{SECRET}"]
"""

COLUMNS = """\
fields:
  - path: properties.postcode
    type: string
  - path: properties.note
    leave_out: true
"""

OWN_MODEL = """\
select event, count(*) as events
from {{ ref('track') }}
group by event
"""

FIRST = [
    {"type": "identify", "messageId": "m-01", "userId": "u-1", "traits": {"plan": "free"}},
    {"type": "identify", "messageId": "m-02", "userId": "u-2", "traits": {"plan": "paid", "n": 1}},
    {"type": "group", "messageId": "m-03", "userId": "u-1", "groupId": "g-1", "traits": {"n": 3}},
    {"type": "page", "messageId": "m-04", "anonymousId": "a-1", "name": "Home", "properties": {}},
    {"type": "screen", "messageId": "m-05", "userId": "u-2", "name": "Cart"},
    {"type": "alias", "messageId": "m-06", "userId": "u-3", "previousId": "a-3"},
    {
        "type": "track",
        "messageId": "m-07",
        "userId": "u-1",
        "event": "Order Completed",
        "properties": {
            "price": 12.5,
            "postcode": 1234,
            "note": "left out",
            "products": [{"sku": "s-1", "price": 2}, {"sku": "s-2", "price": 10.5}],
            "Price ": 7,
        },
        "context": {"page": {"path": "/cart"}, "active": True},
        "timestamp": "2026-11-22T05:24:46.123Z",
    },
    {
        "type": "track",
        "messageId": "m-08",
        "userId": "u-2",
        "event": "Order Completed",
        "properties": {"price": "12,50", "postcode": "0123", "products": [], "active": False},
    },
    {"type": "track", "userId": "u-2", "event": "Without an id", "properties": {"big": 2**70}},
    {"type": "track", "messageId": "m-09", "userId": "u-4", "event": "Erased", "properties": {}},
    {"type": "track", "messageId": "m\u0000-10", "userId": "u-2", "event": "A\u0000B"},
]

SECOND = [
    FIRST[6],  # a copy
    {"type": "track", "messageId": "m-11", "userId": "u-1", "event": "Nested",
     "properties": {"price": {"amount": 3}, "at": "2026-11-22T05:24:46Z", "list": [1, "two"]}},
    {"type": "page", "messageId": "m-12", "userId": "u-2", "properties": {"title": "Ä"}},
    {"type": "identify", "messageId": "m-13", "userId": "u-1", "traits": {"n": "many"}},
]  # fmt: skip

THIRD = [
    {"type": "track", "messageId": "m-14", "userId": "u-1", "event": "Not in its table yet"},
    {"type": "screen", "messageId": "m-15", "userId": "u-1", "name": "Not in its table yet"},
]

FOURTH = [
    {"type": "track", "messageId": "m-16", "userId": "u-1", "event": "Waits"},
    {"type": "group", "messageId": "m-17", "userId": "u-1", "groupId": "g-2"},
]

FIFTH = [{"type": "track", "messageId": "m-18", "userId": "u-1", "event": "In an open file"}]

DELETE = {"type": "delete", "messageId": "m-19", "userId": "u-5"}

IMPORTED = [
    {
        "type": kind,
        "messageId": f"i-{number:02}",
        "userId": "u-1",
        "event": "Imported",
        "receivedAt": f"2024-05-01T10:{number:02}:01.000Z",
        "sentAt": "2024-05-01T10:00:00.000Z",
    }
    for number, kind in enumerate(["track", "track", "page", "identify", "nothing"])
]

CODE = {"landing/README.md", "landing/.gitignore", ".dagster/dagster.yaml", ".dagster/storage"}

OF_THE_USERS = """
from orchestration.loading.load import load
from orchestration.loading.warehouse import connect
from orchestration.loading.writer_lock import writer_lock
from orchestration.settings import Settings

settings = Settings()
with writer_lock(settings), connect(settings) as con:
    con.execute("create schema mine")
    prices = "select message_id, properties__price from segment.track"
    con.execute(f"create table mine.prices as {prices}")
    con.execute("create view mine.orders as select * from segment.track where event like 'Order%'")
    con.execute("create macro mine.twice(x) as 2 * x")
    con.execute("comment on table mine.prices is 'Ours'")
"""

PACK = """
from datetime import UTC, datetime, timedelta
from orchestration.settings import Settings
from orchestration.upkeep.archives import pack_loaded_files

print(pack_loaded_files(Settings(), datetime.now(UTC) + timedelta(hours=3)))
"""

LOAD_ALONE = """
from orchestration.loading.load import load
from orchestration.settings import Settings

print(load(Settings()))
"""

SEEN = """
import json, sys
from orchestration.loading.lake import tables, views
from orchestration.loading.warehouse import connect
from orchestration.settings import Settings

seen = {}
with connect(Settings(), read_only=True) as con:
    for schema, name in sorted(tables(con) | views(con)):
        relation = f'"{schema}"."{name}"'
        rows = con.execute(f"select to_json(t)::varchar from {relation} as t").fetchall()
        seen[f"{schema}.{name}"] = sorted(row for (row,) in rows)
json.dump(seen, sys.stdout, indent=0, sort_keys=True)
"""


def python(*arguments: str) -> str:
    """Run that version's Python; it has to succeed."""
    done = subprocess.run(
        [HERE / ".venv/bin/python", *arguments],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    print("$", arguments[:3], done.stderr[-1500:], done.stdout[-800:])  # noqa: T201
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def send(events: list[dict[str, object]], *others: bytes) -> None:
    """Send a batch, and other bodies beside it."""
    post("/v1/batch", json.dumps({"batch": events, "sentAt": "2026-11-22T05:24:46Z"}).encode())
    for body in others:
        post("/v1/track", body)


def post(path: str, body: bytes) -> None:
    """Send a body, as an SDK and as a webhook does; the answer has to be 200."""
    headers = {"Content-Type": "application/json"}
    if path.startswith("/webhooks/"):
        headers["X-Signature"] = hmac.new(SECRET.encode(), body, "sha1").hexdigest()
    else:
        headers["Authorization"] = "Basic " + b64encode(f"{KEY}:".encode()).decode()
    address = f"http://127.0.0.1:{PORT}{path}"
    request = urllib.request.Request(address, body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        assert answer.status == 200, answer.read()


class Receiver:
    """That version's receiver, for as long as a `with` block takes; then it stops, or is killed."""

    def __init__(self, end: signal.Signals = signal.SIGTERM) -> None:
        """Say how it ends."""
        self.end = end

    def __enter__(self) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(
            [HERE / ".venv/bin/python", "-m", "receiver"], cwd=HERE, start_new_session=True
        )
        for _ in range(300):
            time.sleep(0.1)
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health/live", timeout=1)
            except OSError:
                continue
            return
        sys.exit("the receiver does not start")

    def __exit__(self, *_: object) -> None:
        """End it."""
        os.killpg(self.process.pid, self.end)
        self.process.wait(30)


def main() -> None:
    """Live in a house for a while, and pack it."""
    (HERE / ".env").write_text("".join(f"{key}={value}\n" for key, value in SETTINGS.items()))
    (HERE / "sources.toml").write_text(SOURCES)
    (HERE / "columns.yml").write_text(COLUMNS)
    own = HERE / "dbt_project/models/marts"
    own.mkdir()
    (own / "events_by_name.sql").write_text(OWN_MODEL)
    python("-m", "orchestration", "prepare")
    with Receiver():
        send(FIRST, b'{"type":"track"', b'{"type":"track","event":"too deep","a":' + b"[" * 200)
        post("/webhooks/segment", json.dumps(DELETE).encode())
    python("-m", "orchestration", "load")
    python("-c", PACK)
    packed = HERE / "archive-of-segment.json.gz"
    packed.write_bytes(gzip.compress(b"\n".join(json.dumps(one).encode() for one in IMPORTED)))
    python("-m", "receiver", "import", "--source", "web", packed.name)
    with Receiver():
        send(SECOND)
    dagster = [
        ("job", "execute", "-m", "orchestration.definitions", "-j", "load"),
        ("schedule", "stop", "-w", "workspace.yaml", "checks_every_day"),
    ]
    os.environ["DAGSTER_HOME"] = str(HERE / ".dagster")
    for command in dagster:
        python("-m", "dagster", *command)
    python("-m", "orchestration", "forget", "--user-id", "u-4")
    python("-c", OF_THE_USERS)
    with Receiver():
        send(THIRD)
    python("-c", LOAD_ALONE)
    with Receiver():
        send(FOURTH)
    with Receiver(signal.SIGKILL):
        send(FIFTH)
    python("-m", "orchestration", "verify")
    (HERE / "seen.json").write_text(python("-c", SEEN))
    pack(Path(sys.argv[1]))


def pack(target: Path) -> None:
    """Put into an archive what a house has beside the code."""
    parts = ["landing", "warehouse", ".dagster", ".env", "sources.toml", "columns.yml", "seen.json"]

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        target = member.name.removeprefix(".dagster/dbt/target/")
        if member.name in CODE or target.startswith(("compiled", "run", "graph")):
            return None
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(target, "w:xz", preset=9) as archive:
        for part in [*parts, "dbt_project/models/marts"]:
            archive.add(part, filter=kept)


if __name__ == "__main__":
    main()
