"""A house in which a person is everywhere, and a look at every byte of it."""

import base64
import io
import itertools
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import zstandard

from orchestration.loading.people import ANONYMOUS, USER, Id
from tests.support import landed
from tests.support.house import House
from tests.support.postgres import catalog_files

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


def quick_house(folder: Path) -> House:
    """A house whose receiver seals what is not full at once: an erasure waits for that."""
    return House(folder, seal_seconds=0.3)


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


def found_in_house(house: House, *ids: str) -> list[str]:
    """Every place of a house where an id stands, the catalog's files included."""
    files = [path for path in catalog_files(house.settings) if path.is_file()]
    found = [str(path) for path in files for one in ids if _holds(path.read_bytes(), one)]
    return [*found_in(house.folder, *ids), *found]


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
