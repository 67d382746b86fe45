"""The pixel: an event in the address of an image."""

import base64
import json
from urllib.parse import urlencode

import pytest

from tests.support.receiver.app import AppReceiver
from tests.support.receiver.senders import new_id


def encoded(event: object) -> str:
    return base64.b64encode(json.dumps(event).encode()).decode()


def event_with(message_id: str, **more: object) -> dict[str, object]:
    # Text whose base64 has both characters that addresses change: + and /.
    return {"writeKey": "web-key", "messageId": message_id, "event": "Email Opened»¿ü~?"} | more


def assert_is_pixel(app: AppReceiver, path: str) -> None:
    answer = app.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/gif"
    assert answer.content[:6] == b"GIF89a"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("call", ["track", "identify", "page", "screen", "group", "alias"])
def test_a_pixel_lands_its_event(app: AppReceiver, call: str) -> None:
    message_id = new_id()

    assert_is_pixel(app, f"/v1/pixel/{call}?data={encoded(event_with(message_id))}")

    (line,) = app.landed(message_id)
    assert line["source"] == "web"
    assert line["payload"]["context"] == {"ip": "127.0.0.1"}
    assert "writeKey" not in line["payload"]
    assert app.lines(call, holding=message_id)


@pytest.mark.parametrize("form", ["percent-encoded", "as it is", "for addresses", "not padded"])
def test_base64_may_be_written_in_any_way(app: AppReceiver, form: str) -> None:
    message_id = new_id()
    data = encoded(event_with(message_id, filler="~~~???ÿÿÿ»»»"))
    query = {
        "percent-encoded": urlencode({"data": data}),
        "as it is": f"data={data}",
        "for addresses": f"data={data.replace('+', '-').replace('/', '_')}",
        "not padded": f"data={data.rstrip('=')}",
    }[form]

    assert_is_pixel(app, f"/v1/pixel/track?{query}")

    assert app.landed(message_id)


def test_an_event_may_come_as_parameters(app: AppReceiver) -> None:
    message_id = new_id()
    query = {
        "writeKey": "web-key",
        "messageId": message_id,
        "event": "Email Opened",
        "properties.subject": "The Electric Daily",
        "properties.campaign.name": "ä",
    }

    assert_is_pixel(app, f"/v1/pixel/track?{urlencode(query)}")

    (line,) = app.landed(message_id)
    assert line["payload"]["properties"] == {
        "subject": "The Electric Daily",
        "campaign": {"name": "ä"},
    }


@pytest.mark.parametrize("odd", ["a=1&a=2", "a=1&a.b=2", "a.b=2&a=1"])
def test_parameters_that_contradict_each_other_are_rejected_whole(
    app: AppReceiver, odd: str
) -> None:
    message_id = new_id()
    query = f"writeKey=web-key&messageId={message_id}&{odd}"

    assert_is_pixel(app, f"/v1/pixel/track?{query}")

    (line,) = app.rejected(message_id.encode())
    kept = query.replace("web-key", "*******").encode()
    assert (line["reason"], line["body"]) == ("duplicate_key", kept)


def test_a_name_with_a_thousand_dots_is_no_problem(app: AppReceiver) -> None:
    message_id = new_id()

    assert_is_pixel(app, f"/v1/pixel/track?writeKey=web-key&messageId={message_id}&{'a.' * 1000}=1")

    assert app.landed(message_id)


def test_an_event_of_six_thousand_characters_fits(app: AppReceiver) -> None:
    message_id = new_id()
    data = encoded(event_with(message_id, filler="x" * 5000))

    assert_is_pixel(app, f"/v1/pixel/track?{urlencode({'data': data})}")

    assert app.landed(message_id)


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
    app: AppReceiver, path: str
) -> None:
    before = len(app.lines())

    assert_is_pixel(app, path)

    assert len(app.lines()) == before


def test_a_pixel_that_cannot_be_used_is_rejected_with_its_bytes(app: AppReceiver) -> None:
    marker = new_id()
    text = f'{{"writeKey":"web-key","x":nonsense-{marker}}}'
    data = base64.b64encode(text.encode()).decode()

    assert_is_pixel(app, f"/v1/pixel/page?{urlencode({'data': data})}")

    (line,) = app.rejected(marker.encode())
    kept = text.replace("web-key", "*******").encode()
    assert (line["reason"], line["call"], line["body"]) == ("bad_json", "page", kept)


def test_asking_for_the_head_of_a_pixel_lands_nothing(app: AppReceiver) -> None:
    message_id = new_id()

    answer = app.http.head(f"/v1/pixel/track?data={encoded(event_with(message_id))}")

    assert answer.status_code == 200
    assert not app.landed(message_id)


def test_the_log_says_why_and_not_what(app: AppReceiver) -> None:
    secret = new_id()

    app.get(f"/v1/pixel/track?data={encoded({'writeKey': secret})}&more={secret}")

    logged = app.logged()[-1]
    assert (logged["route"], logged["status"]) == ("/v1/pixel/<call>", 200)
    assert logged["refused"] == "unauthorized"
    text = app.log.read_text()
    assert secret not in text
    assert encoded({"writeKey": secret}) not in text
