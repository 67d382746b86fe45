"""receiver/http/openapi.yaml is true: every route is in it; `test_schemathesis.py` tries them."""

import re
from collections.abc import Iterator
from itertools import product

import yaml
from flask import Flask
from werkzeug.routing import Rule

from landed.folders import CALLS
from landed.settings import ROOT
from receiver.settings import Settings
from tests.support.receiver.app import AppReceiver

PATH = ROOT / "receiver" / "http" / "openapi.yaml"
DOCUMENT = yaml.safe_load(PATH.read_text())
METHODS = {"get", "put", "post", "delete", "patch", "trace", "head", "options"}


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


def routes(app: Flask) -> set[tuple[str, str]]:
    return {
        (path, method.lower())
        for rule in app.url_map.iter_rules()
        for path in paths_of(rule)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}
    }


def test_every_route_is_described_and_every_description_is_a_route(app: AppReceiver) -> None:
    described = {
        (path, method)
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method in METHODS
    }

    assert described == routes(app.app)


def test_the_document_is_served(app: AppReceiver) -> None:
    answer = app.get("/openapi.yaml")

    assert answer.headers["Content-Type"] == "application/yaml"
    assert answer.content == PATH.read_bytes()


def test_what_the_document_repeats_from_the_code_is_the_same() -> None:
    schemas = DOCUMENT["components"]["schemas"]

    assert set(schemas["Call"]["enum"]) == set(CALLS)
    assert schemas["Batch"]["properties"]["batch"]["maxItems"] == Settings().batch_events
