"""A message is delivered, or it is said why not, and never with the address's key."""

import socket
from threading import Thread

import pytest

from orchestration.notifications.post import NotDeliveredError, post
from tests.support.listener import listening
from tests.support.processes import free_port


def test_what_is_posted_arrives_as_json() -> None:
    with listening() as listener:
        post(listener.url, {"text": "é"})

    assert listener.posted == [{"text": "é"}]


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_an_answer_that_is_no_success_is_a_failure(status: int) -> None:
    with listening() as listener:
        listener.status = status
        with pytest.raises(NotDeliveredError, match=f"^127.0.0.1 answered {status}$"):
            post(listener.url, {})


def test_who_is_not_there_is_named_without_the_key() -> None:
    with pytest.raises(NotDeliveredError) as failed:
        post(f"http://127.0.0.1:{free_port()}/hook?key=secret", {})

    assert str(failed.value).startswith("127.0.0.1 cannot be reached: ")
    assert "secret" not in str(failed.value)


def test_a_redirect_is_no_delivery() -> None:
    with listening() as listener:
        listener.status = 302
        with pytest.raises(NotDeliveredError, match=r"answered 302$"):
            post(listener.url, {})


def test_what_does_not_speak_http_is_named_without_the_key() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = Thread(target=lambda: _say(server, b"220 mail.example ESMTP\r\n"))
        answer.start()
        with pytest.raises(NotDeliveredError, match=r"answered with BadStatusLine$"):
            post(f"http://127.0.0.1:{server.getsockname()[1]}/?key=secret", {})
        answer.join()


def _say(server: socket.socket, line: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(1 << 16)
        connection.sendall(line)
