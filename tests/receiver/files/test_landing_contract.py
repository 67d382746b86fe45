"""landing/README.md is what the receiver writes: names, order of fields, checksum."""

import base64
import json
import re
import stat
import zlib

import pytest

from tests.support.receiver.app import AppReceiver
from tests.support.receiver.senders import basic, new_id

LINE = re.compile(
    rb'\{"v":1,"crc":"[0-9a-f]{8}","message_id":"[^"]+",'
    rb'"received_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",'
    rb'"sent_at":(?:null|"[^"]*"),"source":"[^"]+"(?:,"credential":"[a-z]+")?,"payload":\{.*\}\}\n'
)
REJECTED_LINE = re.compile(
    rb'\{"v":1,"crc":"[0-9a-f]{8}","message_id":null,"received_at":"[^"]+","sent_at":null,'
    rb'"source":"[^"]+"(?:,"credential":"[a-z]+")?,"call":(?:null|"[a-z]+"),'
    rb'"reason":"[a-z0-9_]+","body":"[A-Za-z0-9+/=]*"\}\n'
)
NAME = re.compile(r"\d{8}T\d{12}Z-[A-Za-z0-9._]+-\d+-[0-9a-f]{8}-\d{6}\.ndjson(?:\.open)?")


def the_line(app: AppReceiver, marker: str, call: str) -> bytes:
    (line,) = app.lines(call, holding=marker)
    return line


def test_a_line_has_the_fields_in_their_order(app: AppReceiver) -> None:
    marker = new_id()
    app.post("/v1/track", json.dumps({"messageId": marker, "sentAt": "2026-11-22"}))

    assert LINE.fullmatch(the_line(app, marker, "track"))


KEYS = {
    "page-key": ("/v1/track", "browser"),
    "backend-key": ("/v1/track", "server"),
    "partner-key": ("/webhooks/partner", "webhook"),
    "web-key": ("/v1/track", None),
}


@pytest.mark.parametrize("key", KEYS)
def test_a_line_says_by_what_kind_of_credential_it_came(app: AppReceiver, key: str) -> None:
    path, kind = KEYS[key]
    marker, rejected = new_id(), new_id()
    event = {"type": "track", "messageId": marker, "userId": "u", "event": "E"}
    app.post(path, json.dumps(event), headers=basic(key))
    broken = f'{{"type":"track","messageId":"{rejected}","userId":'
    app.post(path, broken, headers=basic(key))

    line = the_line(app, marker, "track")
    kept = the_line(app, base64.b64encode(broken.encode()).decode(), "rejected")

    assert LINE.fullmatch(line)
    assert REJECTED_LINE.fullmatch(kept)
    assert (json.loads(line).get("credential"), json.loads(kept).get("credential")) == (kind, kind)


def test_the_checksum_covers_everything_behind_it(app: AppReceiver) -> None:
    marker = new_id()
    app.post("/v1/page", json.dumps({"messageId": marker}))

    line = the_line(app, marker, "page")

    assert line[23:].startswith(b',"message_id"')
    assert json.loads(line)["crc"] == f"{zlib.crc32(line[23:-1]):08x}"


def test_a_rejected_line_has_the_reason_and_the_bytes(app: AppReceiver) -> None:
    body = json.dumps({"type": "nonsense", "messageId": new_id()}).encode()
    app.post("/v1/batch", b'{"batch":[' + body + b"]}")

    line = the_line(app, base64.b64encode(body).decode(), "rejected")

    assert REJECTED_LINE.fullmatch(line)
    assert line[14:22].decode() == f"{zlib.crc32(line[23:-1]):08x}"
    assert json.loads(line)["reason"] == "unknown_type"


def test_files_are_named_by_the_rule_and_closed_to_others(app: AppReceiver) -> None:
    app.post("/v1/group", "{}")

    folders = [path for path in app.landing.iterdir() if path.is_dir()]
    files = [path for folder in folders for path in folder.iterdir()]

    assert files
    assert [path.name for path in files if not NAME.fullmatch(path.name)] == []
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    sealed = [path for path in files if path.suffix == ".ndjson"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in sealed} <= {0o600}


def test_the_events_of_a_request_are_a_microsecond_apart(app: AppReceiver) -> None:
    ids = [new_id() for _ in range(3)]
    events = [{"type": "alias", "messageId": one} for one in ids]
    app.post("/v1/batch", json.dumps({"batch": events}))

    micros = [int(app.landed(one)[0]["received_at"][20:26]) for one in ids]

    assert [(after - micros[0]) % 1_000_000 for after in micros] == [0, 1, 2]
