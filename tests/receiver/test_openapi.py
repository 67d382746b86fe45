"""receiver/openapi.yaml is true: every route is in it, and schemathesis finds no lie."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection
from werkzeug.routing import Rule

from receiver import create_app
from receiver.calls import CALLS
from receiver.settings import ROOT, Settings
from receiver.sources import Sources
from receiver.state import receiver_of
from tests.support.attack import Watch
from tests.support.receiver import SOURCES, WEB, AppReceiver, basic

PATH = ROOT / "receiver" / "openapi.yaml"
DOCUMENT = yaml.safe_load(PATH.read_text())
METHODS = {"get", "put", "post", "delete", "patch", "trace", "head", "options"}

# One path of those that are one route, one method of those that are one function.
SAME = [f"/v1/{call}" for call in ("identify", "page", "screen", "group", "alias", *"itpsgab")]
SAME += ["/v1/import", "/b", "/m", "/projects/{write_key}/settings"]
schema = schemathesis.openapi.from_path(PATH).exclude(path=SAME).exclude(method=["PUT", "PATCH"])


def paths_of(rule: Rule) -> Iterator[str]:
    """Yield a Flask rule's paths as OpenAPI writes them."""
    parts = re.split(r"<(?:any\(([^)]*)\):)?([^>]*)>", rule.rule)
    texts, choices, names = parts[::3], parts[1::3], parts[2::3]
    values = [
        [one.strip() for one in choice.split(",")] if choice else [f"{{{name}}}"]
        for choice, name in zip(choices, names, strict=True)
    ]
    for chosen in product(*values):
        yield texts[0] + "".join(map("".join, zip(chosen, texts[1:], strict=True)))


def routes(folder: Path) -> set[tuple[str, str]]:
    app = create_app(Settings(_env_file=None, landing=folder / "landing"), Sources(SOURCES))
    receiver_of(app).committer.close()
    return {
        (path, method.lower())
        for rule in app.url_map.iter_rules()
        for path in paths_of(rule)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}
    }


def test_every_route_is_described_and_every_description_is_a_route(tmp_path: Path) -> None:
    described = {
        (path, method)
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method in METHODS
    }

    assert described == routes(tmp_path)


def test_the_document_is_served(app: AppReceiver) -> None:
    answer = app.get("/openapi.yaml")

    assert answer.headers["Content-Type"] == "application/yaml"
    assert answer.content == PATH.read_bytes()


def test_what_the_document_repeats_from_the_code_is_the_same() -> None:
    schemas = DOCUMENT["components"]["schemas"]

    assert set(schemas["Call"]["enum"]) == CALLS
    assert schemas["Batch"]["properties"]["batch"]["maxItems"] == Settings().batch_events


def credentials(path: str) -> dict[str, str]:
    return basic("hooks-key") if path.startswith("/webhooks/") else WEB


@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_receiver_does_what_the_document_says(
    case: schemathesis.Case, app: AppReceiver
) -> None:
    if "name" in case.path_parameters:
        case.path_parameters["name"] = "hooks"

    case.call_and_validate(
        base_url=app.url,
        headers=credentials(case.path),
        # What is wrong in an event is kept and answered 200: no bad input has to be refused.
        excluded_checks=[negative_data_rejection],
        timeout=10,
    )


def test_the_receiver_is_unharmed_by_all_that(app: AppReceiver) -> None:
    Watch(app).must_be_unharmed()
