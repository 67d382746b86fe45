"""nginx in front, with the very configuration that the documentation shows."""

import contextlib
import getpass
import hashlib
import hmac
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import httpx
import psutil
import pytest
import trustme
import uvicorn
import websockets.sync.client
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget

from landed.settings import ROOT
from stack.dagster_ui import configuration
from stack.settings import Settings as StackSettings
from tests.support.processes import eventually, free_port
from tests.support.receiver.attack import bad_input
from tests.support.receiver.senders import SEGMENT_GIVES_UP, WEB, basic, new_id
from tests.support.receiver.server import RunningReceiver

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        shutil.which("nginx") is None,
        reason="nginx is not installed, so docs/nginx/seamline.conf is NOT tested "
        "(apt-get install nginx-light)",
    ),
]

DAGSTER = "dagster.localhost"
LOGIN = "operator", "a password that is long enough"

AROUND = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; {user}
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {folder}/temporary; proxy_temp_path {folder}/temporary;
    fastcgi_temp_path {folder}/temporary; uwsgi_temp_path {folder}/temporary;
    scgi_temp_path {folder}/temporary;
    include {folder}/seamline.conf;
}}
"""


class Nginx:
    """A started nginx: the documented configuration with other ports, paths and names."""

    def __init__(self, folder: Path, receiver_port: int, dagster_port: int = 9) -> None:
        """Start it."""
        self.folder = folder
        (folder / "htpasswd").write_text("{}:{{PLAIN}}{}\n".format(*LOGIN))
        self.port, self.plain_port = free_port(), free_port()
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost", DAGSTER)
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        for number, part in enumerate(certificate.cert_chain_pems):
            part.write_to_path(folder / "chain.pem", append=number > 0)
        self.trust = ssl.create_default_context()
        authority.configure_trust(self.trust)
        (folder / "seamline.conf").write_text(
            self._configuration(folder, receiver_port, dagster_port)
        )
        # Its workers become nobody when root starts it, and could not reach the folder.
        user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user))
        self._process = subprocess.Popen(
            [shutil.which("nginx") or "nginx", "-p", folder, "-c", folder / "nginx.conf"],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.http = httpx.Client(
            base_url=f"https://localhost:{self.port}", verify=self.trust, timeout=10, headers=WEB
        )
        assert eventually(self._is_up), self._process.communicate(timeout=5)

    def _configuration(self, folder: Path, receiver_port: int, dagster_port: int) -> str:
        text = (ROOT / "docs/nginx/seamline.conf").read_text()
        for documented, ours in {
            "server 127.0.0.1:8000;": f"server 127.0.0.1:{receiver_port};",
            "http://127.0.0.1:3000;": f"http://127.0.0.1:{dagster_port};",
            "dagster.example.com": DAGSTER,
            "/etc/nginx/seamline.htpasswd": f"{folder}/htpasswd",
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl",
            "events.example.com": "localhost",
            "/etc/ssl/seamline/fullchain.pem": f"{folder}/chain.pem",
            "/etc/ssl/seamline/privkey.pem": f"{folder}/key.pem",
            "/var/log/nginx/": f"{folder}/",
        }.items():
            assert documented in text
            text = text.replace(documented, ours)
        return text

    def _is_up(self) -> bool:
        with socket.socket() as probing:
            return probing.connect_ex(("127.0.0.1", self.port)) == 0

    def connection(self) -> ssl.SSLSocket:
        """Return a new connection."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        return self.trust.wrap_socket(plain, server_hostname="localhost")

    def stop(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.communicate(timeout=10)


@pytest.fixture(scope="module")
def nginx(server: RunningReceiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """An nginx in front of the shared receiver."""
    started = Nginx(tmp_path_factory.mktemp("nginx"), server.port)
    yield started
    started.stop()


def request_head(length: int) -> bytes:
    lines = [
        "POST /v1/track HTTP/1.1",
        "Host: localhost",
        f"Authorization: {WEB['Authorization']}",
        f"Content-Length: {length}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_an_event_over_tls_is_landed(nginx: Nginx, server: RunningReceiver) -> None:
    message_id = new_id()

    answer = nginx.http.post("/v1/track", content=json.dumps({"messageId": message_id}))

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert len(server.landed(message_id)) == 1
    assert answer.headers["Strict-Transport-Security"]


def test_a_signed_webhook_arrives_as_it_was_signed(nginx: Nginx) -> None:
    body = json.dumps({"type": "track", "messageId": new_id(), "n": 10.0}, indent=1).encode()
    signature = hmac.new(b"new secret", body, hashlib.sha1).hexdigest()

    answers = [
        httpx.post(
            nginx.http.base_url.join("/webhooks/signed"),
            content=content,
            headers={"X-Signature": signature},
            verify=nginx.trust,
        )
        for content in (body, body.replace(b"10.0", b"10.1"))
    ]

    assert [answer.status_code for answer in answers] == [200, 401]


def test_slow_clients_hold_up_nobody_and_do_not_reach_the_receiver(
    nginx: Nginx, server: RunningReceiver
) -> None:
    body = json.dumps({"messageId": (message_id := new_id())}).encode()
    with contextlib.ExitStack() as open_connections:
        slow = [open_connections.enter_context(nginx.connection()) for _ in range(60)]
        for one in slow:
            one.sendall(request_head(len(body)) + body[:20])
        started = time.monotonic()
        answer = nginx.http.post("/v1/track", content="{}")

        assert answer.status_code == 200
        assert time.monotonic() - started < SEGMENT_GIVES_UP
        assert connections_of(server) < 10
        slow[0].sendall(body[20:])
        assert slow[0].recv(100).startswith(b"HTTP/1.1 200")
    assert len(server.landed(message_id)) == 1


def connections_of(server: RunningReceiver) -> int:
    """Return how many connections the receiver's workers hold."""
    return sum(
        connection.status == psutil.CONN_ESTABLISHED
        for worker in server.workers()
        for connection in psutil.Process(worker).net_connections()
    )


def test_a_body_that_is_too_big_is_refused_before_it_is_sent(nginx: Nginx) -> None:
    with nginx.connection() as connection:
        connection.sendall(request_head(128 * 1024 * 1024 + 1))
        answer = b""
        while not answer.endswith(b"}"):
            piece = connection.recv(4096)
            assert piece, answer
            answer += piece

    assert answer.startswith(b"HTTP/1.1 413")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too_large"


def test_what_is_for_the_inside_is_not_shown_outside(nginx: Nginx, server: RunningReceiver) -> None:
    assert nginx.http.get("/health/live").status_code == 200
    for path in ("/metrics", "/health/ready", "/v1/../metrics", "//metrics"):
        assert nginx.http.get(path).status_code == 404, path
    assert server.get("/metrics").status_code == 200


def test_what_comes_without_tls_is_sent_elsewhere(nginx: Nginx) -> None:
    answer = httpx.post(f"http://127.0.0.1:{nginx.plain_port}/v1/track", content="{}")

    assert answer.status_code == 308
    assert answer.headers["Location"].startswith("https://")


@bad_input(
    "B154", "a pixel through nginx while the receiver is away", "503, and no log quotes its address"
)
def test_no_log_quotes_what_stands_in_the_address_of_a_pixel(tmp_path: Path) -> None:
    """Nobody answers behind it: of each other request the error log says so, with its address."""
    nginx = Nginx(tmp_path, free_port())
    try:
        for path in ("/v1/pixel/track", "/v1//pixel/./track", "/v1/projects/a-key/settings"):
            address = f"{path}?writeKey=a-key&data=an-event"
            answer = nginx.http.get(address, headers={"Referer": "https://shop/of-a-person"})
            assert answer.status_code == 503
        httpx.get(f"http://127.0.0.1:{nginx.plain_port}/v1/pixel/track?data=an-event")
        assert nginx.http.post("/webhooks/signed", content="{}").status_code == 503
    finally:
        nginx.stop()

    logs = {path.name: path.read_text() for path in tmp_path.glob("*.log")}
    assert "/webhooks/signed" in logs["seamline.error.log"]
    assert logs["seamline.log"].count(" 503 ") == 4
    for told in ("a-key", "an-event", "of-a-person"):
        assert [name for name, text in logs.items() if told in text] == [], told


@pytest.fixture(scope="module")
def dagster_port() -> Iterator[int]:
    """Dagster's web application, served as `make run` serves it, with no code to load."""
    port = free_port()
    settings = StackSettings(dagster_port=port, dagster_names=DAGSTER)
    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget(), version="1") as workspace,
    ):
        server = uvicorn.Server(configuration(workspace, settings))
        serving = threading.Thread(target=server.run, daemon=True)
        serving.start()
        assert eventually(lambda: server.started)
        yield port
        server.should_exit = True
        serving.join(timeout=10)


def test_the_dagster_ui_is_there_under_its_name_for_who_has_the_login(
    tmp_path: Path, dagster_port: int
) -> None:
    nginx = Nginx(tmp_path, free_port(), dagster_port)
    own = {"Host": f"{DAGSTER}:{nginx.port}", "Origin": f"https://{DAGSTER}:{nginx.port}"}
    query = {"json": {"query": "{ version }"}}
    try:
        asked = nginx.http.post("/graphql", **query, headers=own, auth=LOGIN)
        refused = [
            nginx.http.post("/graphql", **query, headers=own | changed, auth=auth)
            for changed, auth in (
                ({}, None),
                ({}, (LOGIN[0], "another")),
                ({"Origin": "https://evil.example"}, LOGIN),
                ({"Host": "evil.example"}, LOGIN),
            )
        ]
        with websockets.sync.client.connect(
            f"wss://{DAGSTER}:{nginx.port}/graphql",
            sock=socket.create_connection(("127.0.0.1", nginx.port)),
            ssl=nginx.trust,
            origin=own["Origin"],
            subprotocols=["graphql-ws"],
            additional_headers=basic(*LOGIN),
        ) as connection:
            connection.send('{"type": "connection_init"}')
            heard = json.loads(connection.recv(timeout=10))
    finally:
        nginx.stop()

    assert asked.json() == {"data": {"version": "1"}}
    # the last is for the receiver, which nginx gives every name that nobody has
    assert [answer.status_code for answer in refused] == [401, 401, 403, 404]
    assert heard == {"type": "connection_ack"}


class Echo(BaseHTTPRequestHandler):
    """Answers with the headers it got."""

    def do_POST(self) -> None:
        """Answer."""
        text = json.dumps(dict(self.headers)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_the_clients_address_is_told_and_not_believed(tmp_path: Path) -> None:
    echo = HTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    nginx = Nginx(tmp_path, echo.server_port)
    try:
        forged = {"X-Forwarded-For": "192.0.2.1", "X-Real-IP": "192.0.2.1"}
        seen = nginx.http.post("/v1/track", content="{}", headers=forged).json()
        echo.shutdown()
        echo.server_close()
        away = nginx.http.post("/v1/track", content="{}")
    finally:
        nginx.stop()

    assert seen["X-Forwarded-For"] == seen["X-Real-IP"] == "127.0.0.1"
    assert seen["X-Forwarded-Proto"] == "https"
    assert (away.status_code, away.json()["code"]) == (503, "away")
    assert away.headers["Retry-After"]
