"""What an operator reads is what there is: metrics, codes and reasons."""

import ast
import re
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

from landed.settings import ROOT
from orchestration.loading.people import USER, Id
from orchestration.loading.suppressed import begin
from tests.support.processes import eventually
from tests.support.receiver.senders import new_id
from tests.support.receiver.server import RunningReceiver

PAGE = (ROOT / "docs/operate-receiver.md").read_text()
CODES = re.compile(
    r"(?:Error\((?:\s*\w+,)?\s*|Problem\(|flaw = |code: str = |return (?:\w+(?:\(\w+\))?, )?)"
    r'"([a-z][a-z_0-9]+)"(?=[,)\s])'
)


def test_every_metric_is_documented(server: RunningReceiver) -> None:
    shut_out = '{"type":"track","integrations":{"All":false}}'
    server.post("/v1/batch", f'{{"batch":[{{"type":"track"}},{{"type":"?"}},{shut_out}]}}')
    erased = f"erased-{new_id()}"
    begin(server.landing, [Id(USER, erased)], suppressed=True)

    def is_suppressed() -> bool:
        server.post("/v1/track", f'{{"userId":"{erased}"}}')
        return "seamline_suppressed_total" in server.get("/metrics").text

    assert eventually(is_suppressed)
    families = text_string_to_metric_families(server.get("/metrics").text)
    shown = {family.name for family in families if family.name.startswith("seamline_")}
    documented = re.findall(r"`(seamline_\w+?)(?:_total)?(?:\{[^}]*\})?`", PAGE)

    assert shown == set(documented)


def test_every_code_and_reason_is_documented() -> None:
    files = [*(ROOT / "receiver").rglob("*.py"), ROOT / "landed" / "packed.py"]
    sources = (path for path in files if "importing" not in path.parts)
    codes = {code for path in sources for code in CODES.findall(path.read_text())}

    one_of_each_form = {"cut_short", "over_quota", "cannot_undo", "too_many_keys", "bad_base64"}
    assert codes >= {*one_of_each_form, "busy", "disk_full", "too_deep", "no_batch", "bad_gzip"}
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


def test_every_line_of_the_log_is_documented() -> None:
    trees = [ast.parse(path.read_text()) for path in (ROOT / "receiver").rglob("*.py")]
    events = {event for tree in trees for event in logged(tree)}
    rows = {
        name
        for names in re.findall(r"^\| (`[^|]+) \| [a-z, ]+ \|", PAGE, re.MULTILINE)
        for name in re.findall("`([^`]+)`", names)
    }

    assert events >= {"recovered", "shipped", "sources_read", "suppressed_not_read"}
    assert events - rows == set()


def logged(tree: ast.Module) -> Iterator[str]:
    """The names of the events that a module logs."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log")),
                args=[ast.Constant(value=str(event)), *_],
            ):
                yield event
