"""The pixel: an event in the address of an image."""

import base64
import json
from urllib.parse import urlencode

import pytest

from tests.support.receiver import RunningReceiver, new_id


def encoded(event: object) -> str:
    return base64.b64encode(json.dumps(event).encode()).decode()


def event_with(message_id: str, **more: object) -> dict[str, object]:
    # Text whose base64 has both characters that addresses change: + and /.
    return {"writeKey": "web-key", "messageId": message_id, "event": "Email Opened»¿ü~?"} | more


def assert_is_pixel(server: RunningReceiver, path: str) -> None:
    answer = server.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/gif"
    assert answer.content[:6] == b"GIF89a"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("call", ["track", "identify", "page", "screen", "group", "alias"])
def test_a_pixel_lands_its_event(server: RunningReceiver, call: str) -> None:
    message_id = new_id()

    assert_is_pixel(server, f"/v1/pixel/{call}?data={encoded(event_with(message_id))}")

    (line,) = server.landed(message_id)
    assert line["source"] == "web"
    assert line["payload"]["context"] == {"ip": "127.0.0.1"}
    assert "writeKey" not in line["payload"]
    assert [one for one in server.lines(call) if message_id.encode() in one]


@pytest.mark.parametrize("form", ["percent-encoded", "as it is", "for addresses", "not padded"])
def test_base64_may_be_written_in_any_way(server: RunningReceiver, form: str) -> None:
    message_id = new_id()
    data = encoded(event_with(message_id, filler="~~~???ÿÿÿ»»»"))
    query = {
        "percent-encoded": urlencode({"data": data}),
        "as it is": f"data={data}",
        "for addresses": f"data={data.replace('+', '-').replace('/', '_')}",
        "not padded": f"data={data.rstrip('=')}",
    }[form]

    assert_is_pixel(server, f"/v1/pixel/track?{query}")

    assert server.landed(message_id)


def test_an_event_may_come_as_parameters(server: RunningReceiver) -> None:
    message_id = new_id()
    query = {
        "writeKey": "web-key",
        "messageId": message_id,
        "event": "Email Opened",
        "properties.subject": "The Electric Daily",
        "properties.campaign.name": "ä",
    }

    assert_is_pixel(server, f"/v1/pixel/track?{urlencode(query)}")

    (line,) = server.landed(message_id)
    assert line["payload"]["properties"] == {
        "subject": "The Electric Daily",
        "campaign": {"name": "ä"},
    }


@pytest.mark.parametrize("odd", ["a=1&a=2", "a=1&a.b=2", "a.b=2&a=1"])
def test_parameters_that_contradict_each_other_are_rejected_whole(
    server: RunningReceiver, odd: str
) -> None:
    message_id = new_id()
    query = f"writeKey=web-key&messageId={message_id}&{odd}"

    assert_is_pixel(server, f"/v1/pixel/track?{query}")

    (line,) = server.rejected(message_id.encode())
    assert (line["reason"], line["body"]) == ("duplicate_key", query.encode())


def test_a_name_with_a_thousand_dots_is_no_trouble(server: RunningReceiver) -> None:
    message_id = new_id()

    assert_is_pixel(
        server, f"/v1/pixel/track?writeKey=web-key&messageId={message_id}&{'a.' * 1000}=1"
    )

    assert server.landed(message_id)


def test_an_event_of_six_thousand_characters_fits(server: RunningReceiver) -> None:
    message_id = new_id()
    data = encoded(event_with(message_id, filler="x" * 5000))

    assert_is_pixel(server, f"/v1/pixel/track?{urlencode({'data': data})}")

    assert server.landed(message_id)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/pixel/track",
        "/v1/pixel/track?data=",
        "/v1/pixel/track?data=%FF%FE",
        "/v1/pixel/track?data=nonsense!",
        "/v1/pixel/track?event=No+Key",
        "/v1/pixel/track?writeKey=no-key",
        "/v1/pixel/nothing?writeKey=web-key",
        f"/v1/pixel/track?data={encoded([1])}",
        f"/v1/pixel/track?data={encoded({'event': 'No Key'})}",
        f"/v1/pixel/track?data={encoded({'writeKey': 'no-key'})}",
    ],
)
def test_without_a_valid_key_it_is_still_a_pixel_and_nothing_lands(
    server: RunningReceiver, path: str
) -> None:
    before = len(server.lines())

    assert_is_pixel(server, path)

    assert len(server.lines()) == before


def test_a_pixel_that_cannot_be_used_is_rejected_with_its_bytes(server: RunningReceiver) -> None:
    marker = new_id()
    text = f'{{"writeKey":"web-key","x":nonsense-{marker}}}'
    data = base64.b64encode(text.encode()).decode()

    assert_is_pixel(server, f"/v1/pixel/page?{urlencode({'data': data})}")

    (line,) = server.rejected(marker.encode())
    assert (line["reason"], line["call"], line["body"]) == ("bad_json", "page", text.encode())


def test_asking_for_the_head_of_a_pixel_lands_nothing(server: RunningReceiver) -> None:
    message_id = new_id()

    answer = server.http.head(f"/v1/pixel/track?data={encoded(event_with(message_id))}")

    assert answer.status_code == 200
    assert not server.landed(message_id)


def test_the_log_says_why_and_not_what(server: RunningReceiver) -> None:
    secret = new_id()

    server.get(f"/v1/pixel/track?data={encoded({'writeKey': secret})}&more={secret}")

    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    logged = [line for line in lines if line.get("route") == "/v1/pixel/<call>"]
    assert logged[-1]["refused"] == "unauthorized"
    assert logged[-1]["status"] == 200
    text = server.log.read_text()
    assert secret not in text
    assert encoded({"writeKey": secret}) not in text
