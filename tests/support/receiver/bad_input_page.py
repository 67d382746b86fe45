"""Makes docs/bad-inputs.md of the tests: `python -m tests.support.receiver.bad_input_page`."""

import importlib
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "bad-inputs.md"
MODULES = (
    "signatures",
    "http",
    "json",
    "events",
    "limits",
    "loading",
    "scopes",
    "growth",
    "quotas",
    "slow_bodies",
    "metrics",
    "unauthenticated",
    "refused_time",
)
BESIDE_THE_RECEIVER = (
    "loading.test_field_budget",
    "loading.test_load_fields",
    "columns.test_governed_columns",
    "columns.test_columns_update",
    "columns.test_names",
    "columns.test_placement",
    "stack.test_dagster_ui",
    "importing.test_links",
    "warehouse.test_modes",
    "erasure.test_remaining_ids",
    "erasure.test_orders",
    "erasure.test_near_ids",
    "receiver.http.test_nginx",
)
REAL_SENDERS = ("bodies", "requests", "events_without_an_id")

TABLE = "| | input | answer |\n|---|---|---|\n"


def rows() -> list[tuple[str, str, str]]:
    """Return number, input and answer of every test, in the order of the numbers."""
    places = [f"receiver.bad_inputs.test_{name}" for name in MODULES]
    places += [f"receiver.real_senders.test_{name}" for name in REAL_SENDERS]
    places += BESIDE_THE_RECEIVER
    found = [row for place in places for row in _rows_of(f"tests.{place}")]
    return sorted(dict.fromkeys(found), key=lambda row: int(row[0][1:]))


def _rows_of(module_name: str) -> Iterator[tuple[str, str, str]]:
    module = importlib.import_module(module_name)
    for case in getattr(module, "CASES", ()):
        yield case.number, case.input, case.answer
    for name, test in vars(module).items():
        if name.startswith("test_"):
            yield from map(_of_mark, _marks(test))


def _marks(test: object) -> Iterator[tuple[object, ...]]:
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "bad_input":
            yield mark.args
        elif mark.name == "parametrize":
            for one in mark.args[1]:
                yield from (m.args for m in getattr(one, "marks", ()) if m.name == "bad_input")


def _of_mark(arguments: tuple[object, ...]) -> tuple[str, str, str]:
    number, what, answer = map(str, arguments)
    return number, what, answer


def page() -> str:
    """Return the page as it has to be: what stands above the table is written by hand."""
    escaped = (tuple(text.replace("|", "\\|").replace("\n", " ") for text in row) for row in rows())
    head = PAGE.read_text().partition(TABLE)[0]
    return head + TABLE + "".join(f"| {' | '.join(row)} |\n" for row in escaped)


if __name__ == "__main__":
    PAGE.write_text(page())
