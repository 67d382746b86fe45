"""The SQL that dbt's macros make, without dbt's start: for rules that DuckDB alone can show."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

import yaml
from dbt_common.clients.jinja import get_template
from dbt_common.exceptions.macros import MacroReturn

from landed.settings import ROOT

PROJECT = ROOT / "dbt_project"
_PREFIX = "dbt_macro__"


@cache
def macros() -> Mapping[str, Callable[..., Any]]:
    """Every macro of the project by its name, as the dispatch to DuckDB finds it."""
    found: dict[str, Callable[..., Any]] = {}
    variables = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]

    def answer(value: Any) -> None:
        raise MacroReturn(value)

    def called(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:  # looked up late: it may be found later
            return found[name](*args, **kwargs)

        return call

    def dispatch(name: str, *_: str) -> Callable[..., Any]:
        return found.get(f"duckdb__{name}") or found[f"default__{name}"]

    texts = [path.read_text() for path in sorted((PROJECT / "macros").glob("*.sql"))]
    names = [
        line.split("macro ", 1)[1].split("(", 1)[0]
        for text in texts
        for line in text.splitlines()
        if line.startswith("{% macro ")
    ]
    context: dict[str, Any] = {name: called(name) for name in names} | {
        "adapter": SimpleNamespace(dispatch=dispatch, quote=lambda name: f'"{name}"'),
        "return": answer,
        "var": variables.__getitem__,
        "execute": False,
        "modules": SimpleNamespace(re=re),
    }
    for text in texts:
        if "{% materialization" in text:
            continue
        module = get_template(text, context).make_module(context)
        for name in names:
            if hasattr(module, _PREFIX + name):
                found[name] = _returning(getattr(module, _PREFIX + name))
    return found


def _returning(macro: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return str(macro(*args, **kwargs))
        except MacroReturn as returned:
            return returned.value

    return call
