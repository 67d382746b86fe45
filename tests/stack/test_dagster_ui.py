"""The Dagster UI answers to its own names, to its own pages, and to whoever has its login."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from starlette.testclient import TestClient, WebSocketDenialResponse

from stack.errors import StackError
from stack.login import Login, read_login
from stack.settings import EVERYWHERE, Settings
from tests.support.receiver.attack import bad_input
from tests.support.receiver.senders import basic

OWN = "http://localhost:3000"
PROXIED = "https://dagster.example.com"
MUTATION = 'mutation { deletePipelineRun(runId: "none") { __typename } }'
QUERY = "{ version }"
SUBSCRIPTION = {"Sec-WebSocket-Protocol": "graphql-ws"}
LOGIN = "operator", "a password that is long enough"


@pytest.fixture(scope="module")
def workspace() -> Iterator[WorkspaceProcessContext]:
    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget(), version="1") as context,
    ):
        yield context


def client(workspace: WorkspaceProcessContext, settings: Settings) -> TestClient:
    """One that is on the machine."""
    from stack.dagster_ui import application  # noqa: PLC0415 - a second, for each that collects

    return TestClient(application(workspace, settings), base_url=OWN)


@pytest.fixture(scope="module")
def ui(workspace: WorkspaceProcessContext) -> TestClient:
    """The UI without a login, on loopback and behind a proxy that has a name for it."""
    settings = Settings(dagster_names="dagster.example.com")
    return client(workspace, settings)


@pytest.fixture(scope="module")
def closed_ui(
    workspace: WorkspaceProcessContext, tmp_path_factory: pytest.TempPathFactory
) -> TestClient:
    """The UI with a login."""
    file = tmp_path_factory.mktemp("login") / "login"
    file.touch(0o600)
    file.write_text(":".join(LOGIN))
    return client(workspace, Settings(dagster_login=file))


@pytest.mark.parametrize(
    "own", [OWN, "http://127.0.0.1:3000", "http://[::1]:4000", "http://LOCALHOST", PROXIED]
)
def test_its_own_page_asks_and_orders_under_each_of_its_names(ui: TestClient, own: str) -> None:
    headers = {
        "Origin": own.lower(),
        "Sec-Fetch-Site": "same-origin",
        "Host": own.partition("//")[2],
    }

    page = ui.get("/runs", headers=headers)
    answer = ui.post("/graphql", json={"query": MUTATION}, headers=headers)

    assert page.status_code == 200
    assert page.headers["X-Frame-Options"] == "DENY"
    assert answer.json() == {"data": {"deletePipelineRun": {"__typename": "RunNotFoundError"}}}


def test_a_command_line_that_sends_no_origin_is_answered(ui: TestClient) -> None:
    assert ui.post("/graphql", json={"query": QUERY}).json()["data"]["version"]


@bad_input(
    "B150",
    "the Dagster UI, asked by a name that is not its own (DNS rebinding)",
    "421, and what to set",
)
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:3000",
        "localhost.evil.example",
        "localhost.",
        "192.0.2.1",
        "localhost:3000@evil.example",
        "[::1",
        "",
        "dagster.example.com.evil.example",
    ],
)
def test_a_name_that_is_not_its_own_gets_nothing(ui: TestClient, host: str) -> None:
    """DNS rebinding: a page's own name that leads to loopback, so that all is of one origin."""
    headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}

    for answer in (
        ui.get("/", headers=headers),
        ui.post("/graphql", json={"query": QUERY}, headers=headers),
        ui.get("/server_info", headers=headers),
    ):
        assert answer.status_code == 421
        assert "SEAMLINE_DAGSTER_NAMES" in answer.text
        assert host not in answer.text or not host


@bad_input("B151", "the Dagster UI, asked by another page (`Origin`, `Sec-Fetch-Site`)", "403")
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:5000"},
        {"Origin": "http://localhost:3000.evil.example"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": OWN, "Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_a_page_of_others_neither_asks_nor_orders(ui: TestClient, headers: dict[str, str]) -> None:
    for answer in (
        ui.get("/graphql", params={"query": MUTATION}, headers=headers),
        ui.post("/graphql", json={"query": MUTATION}, headers=headers),
        ui.post("/graphql", params={"query": MUTATION}, headers=headers),
        ui.post("/report_asset_materialization/a", headers=headers),
        ui.get("/logs/a/b.out", headers=headers),
    ):
        assert answer.status_code == 403
        assert "another page" in answer.text


@bad_input("B152", "the Dagster UI, a mutation in the address of an image", "405")
def test_a_query_in_an_address_is_never_run(ui: TestClient) -> None:
    """An image of a browser that sends neither Origin nor Sec-Fetch-Site."""
    assert ui.get("/graphql", params={"query": MUTATION}).status_code == 405
    assert ui.get("//graphql", params={"query": MUTATION}).text.startswith("<!DOCTYPE html")
    assert "GraphiQL" in ui.get("/graphql", headers={"Accept": "text/html"}).text


def test_a_link_from_elsewhere_opens_the_page_but_no_frame_does(ui: TestClient) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    assert ui.get("/runs", headers=link | {"Sec-Fetch-Dest": "document"}).status_code == 200
    assert ui.get("/runs", headers=link | {"Sec-Fetch-Dest": "iframe"}).status_code == 403
    form = ui.post(
        "/graphql", params={"query": QUERY}, headers=link | {"Sec-Fetch-Dest": "document"}
    )
    assert form.status_code == 403


@bad_input(
    "B151",
    "the Dagster UI's websocket, opened by another page or under another name",
    "403 or 421, no websocket",
)
def test_a_subscription_is_for_its_own_page_as_well(ui: TestClient) -> None:
    own = SUBSCRIPTION | {"Host": "localhost:3000", "Origin": OWN}
    with ui.websocket_connect("/graphql", headers=own) as socket:
        socket.send_json({"type": "connection_init"})
        assert socket.receive_json() == {"type": "connection_ack"}

    for foreign in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            ui.websocket_connect("/graphql", headers=own | foreign),
        ):
            pass
        assert refused.value.status_code in (403, 421)


@bad_input("B153", "the Dagster UI with a login, asked without it", "401")
@pytest.mark.parametrize(
    "sent", [None, "Basic", "Basic %%", "Bearer x", basic(*LOGIN[:1])["Authorization"]]
)
def test_without_its_login_it_shows_nothing(closed_ui: TestClient, sent: str | None) -> None:
    headers = {"Authorization": sent} if sent else {}

    answer = closed_ui.post("/graphql", json={"query": QUERY}, headers=headers)

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (
        401,
        'Basic realm="Seamline"',
    )
    assert closed_ui.get("/", headers=headers).status_code == 401
    with (
        pytest.raises(WebSocketDenialResponse),
        closed_ui.websocket_connect(
            "/graphql", headers=SUBSCRIPTION | {"Host": "localhost"} | headers
        ),
    ):
        pass


def test_with_its_login_it_answers_but_not_to_another_page(closed_ui: TestClient) -> None:
    for origin, status in ((OWN, 200), ("https://evil.example", 403)):
        answer = closed_ui.post(
            "/graphql", json={"query": QUERY}, auth=LOGIN, headers={"Origin": origin}
        )
        assert answer.status_code == status


def test_a_login_is_a_name_and_a_password_in_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "login"
    file.touch(0o600)
    file.write_text("operator:a password: with a colon\n")

    assert read_login(Settings(dagster_login=file)) == Login("operator", "a password: with a colon")


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ("operator:a password that is long", 0o640, "chmod 600"),
        ("operator:a password that is long", 0o604, "chmod 600"),
        ("operator:short", 0o600, "16"),
        ("operator", 0o600, "name:password"),
        (":a password that is long", 0o600, "name:password"),
        ("one:a password that is long\ntwo:a password that is long", 0o600, "name:password"),
        ("", 0o600, "name:password"),
        (None, 0o600, "cannot be read"),
    ],
)
def test_a_login_that_protects_nothing_is_refused_in_a_line(
    tmp_path: Path, text: str | None, mode: int, why: str
) -> None:
    file = tmp_path / "login"
    if text is not None:
        file.write_text(text)
        file.chmod(mode)

    with pytest.raises(StackError, match=why) as refused:
        read_login(Settings(dagster_login=file))

    assert "SEAMLINE_DAGSTER_LOGIN" in str(refused.value)
    assert "a password" not in str(refused.value)


@bad_input(
    "B153",
    "the Dagster UI where other machines reach it, without a login",
    "no start, and one line that says why",
)
@pytest.mark.parametrize("host", [*sorted(EVERYWHERE - {""}), "192.0.2.7"])
def test_wider_than_loopback_it_needs_a_login(host: str) -> None:
    with pytest.raises(StackError, match="SEAMLINE_DAGSTER_LOGIN"):
        read_login(Settings(dagster_host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1"])
def test_on_loopback_it_needs_none(host: str) -> None:
    assert read_login(Settings(dagster_host=host)) is None


def test_a_runs_page_is_filled_in_small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_graphql.implementation.execution import get_chunk_size  # noqa: PLC0415 - as above

    from stack.dagster_ui import EVENTS_AT_ONCE, send_few_events_at_once  # noqa: PLC0415

    monkeypatch.setenv("DAGSTER_UI_EVENT_LOAD_CHUNK_SIZE", "7")
    send_few_events_at_once()
    assert get_chunk_size() == 7  # somebody has said otherwise

    monkeypatch.delenv("DAGSTER_UI_EVENT_LOAD_CHUNK_SIZE")
    send_few_events_at_once()
    assert get_chunk_size() == EVENTS_AT_ONCE
