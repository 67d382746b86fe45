"""Every command that a page shows exists, with its options, variables and models."""

import pytest

from tests.support.docs.documented_commands import Shown, WrongCommandError, commands_in, prove
from tests.support.docs.pages import PAGES

SHOWN = [
    pytest.param(shown, id=f"{page.name}: {shown.line}")
    for page in PAGES
    if page.name != "CHANGELOG.md"  # which names what there was
    for shown in commands_in(page)
]


def test_the_pages_show_commands_of_each_kind() -> None:
    ids = " ".join(str(one.id) for one in SHOWN)

    for program in ("make", "seamline", "dbt", "python -m", "dagster", "flask", "tar", "mv"):
        assert f" {program} " in ids


@pytest.mark.parametrize("shown", SHOWN)
def test_a_command_of_a_page_exists_as_it_is_shown(shown: Shown) -> None:
    prove(*shown)


@pytest.mark.parametrize(
    "line",
    [
        "make lod",
        "make replay DAYS=2026-11-22",
        "make replay DAY=yesterday",
        "make replay TABLE=tracks",
        "make bench-receiver OPTIONS=--soaks",
        "seamline replay --dya 2026-11-22",
        "seamline lod",
        "seamline status --jason",
        "python -m orchestration forget --notify",
        "python -m benchmarks.receiving",
        "dbt run --project-dir elsewhere",
        "dbt run --project-dir dbt_project --full-refreshed",
        "dbt test --project-dir dbt_project --select trakc",
        "DAGSTER_HOME=$PWD/.dagster dagster dev -w work.yaml --sot",
        "flask --app receiver run --prot 8000",
        ".venv/bin/duckbd < export.sql",
        "tra --zstd -tf landing/archive/track/20261122T05.tar.zst",
        "ls landing | lod",
    ],
)
def test_a_wrong_one_is_found(line: str) -> None:
    with pytest.raises(WrongCommandError):
        prove(line)
