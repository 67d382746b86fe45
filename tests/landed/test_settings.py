"""What a setting may be, and what is said of one that does not fit: the same in every part."""

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from landed.settings import ROOT, SharedSettings, WrongSettingsError
from orchestration.__main__ import cli
from orchestration.settings import Settings as OrchestrationSettings
from receiver.settings import Settings as ReceiverSettings
from stack.settings import Settings as StackSettings
from tests.support.receiver.fixtures import Refusal

PARTS = (ReceiverSettings, OrchestrationSettings)

SIZE = {"64MiB": 64 * 1024**2, "1.5 kB": 1500, "1,000": None, "5bit": None, "64 parsecs": None,
        "9999999999999999999TB": None, "9223372036854775808": None, "٣": None}  # fmt: skip
DURATION = {"0.5": 0.5, " 2 ": 2, "1e1": 10, "64MiB": None, "5 parsecs": None, "1e300": None,
            "1_0": None, "٣": None}  # fmt: skip
WHOLE = {"7": 7, "7.5": None, "64MiB": None, "many": None, "1_0": None, "٣": None}
TEXT = {"64MiB": "64MiB"}
NO_PATH = dict.fromkeys(["~nobody-of-this-name/x", "s3://b/c", "file:///x", " x", "x "])
PATH = {"nan": ROOT / "nan", "/x": "/x"} | NO_PATH
FOLDER = PATH | {"x/": ROOT / "x", "..": ROOT / ".."}
NO_FILE = NO_PATH | dict.fromkeys(["/", "x/", ".", "..", "x/..", "docs"])
NO_NUMBER = dict.fromkeys(["0", "-1", "nan", "inf", "-inf", "1_0"])

SHARE = {"0.5": 0.5, "1": 1, "1.1": None, "half": None} | NO_NUMBER

SUFFIXES = {
    "_bytes": SIZE | NO_NUMBER,
    "_seconds": DURATION | NO_NUMBER,
    "_hours": DURATION | NO_NUMBER,
    "_days": DURATION | NO_NUMBER,
    "_share": SHARE,
    "port": WHOLE | NO_NUMBER | {"65535": 65535, "65536": None},
}
SWITCH = {"true": True, "0": False, "64MiB": None, "nan": None, "-1": None}
WEBHOOK = {"64MiB": None, "ftp://x": None, "nan": None, "https://": None}
PLACE = (
    FOLDER
    | {"s3://b/c": None, "s3://bucket/c/": "s3://bucket/c"}
    | dict.fromkeys(
        ["s3://", "s3://key@bucket", "https://bucket/c", " s3://bucket", "gs://bucket?x=1"]
    )
)
OTHERS: dict[str, dict[str, Any]] = {
    "landing": FOLDER,
    "landing_remote": {
        "s3://bucket/a/b-c/": "s3://bucket/a/b-c",
        "gs://bucket": "gs://bucket",
        "az://container/x": "az://container/x",
        "64MiB": None,
        "/y": None,
        "s3://": None,
        "s3:///x": None,
        "s3://key:secret@bucket/x": None,
        "s3://bucket/a//b": None,
        "s3://bucket/../x": None,
        "s3://bucket/x?sig=1": None,
        "https://bucket.s3.amazonaws.com/x": None,
    },
    "sources": PATH | NO_FILE,
    "warehouse_readers": {"group": "group", "nobody": None},
    "columns": PATH | NO_FILE,
    "dagster_home": FOLDER,
    "warehouse_data": FOLDER
    | {"s3://lake/a/b/": "s3://lake/a/b/", "s3://": None, "s3://a b": None, "s3://lake/x?y": None},
    "host": TEXT,
    "dagster_host": {"::1": "::1", "192.0.2.1": "192.0.2.1", "localhost": None, "64MiB": None},
    "dagster_names": {
        "A.example, b": ("a.example", "b"),
        "::1": ("::1",),
        "a:80": None,
        "http://a": None,
        "a,,b": None,
        "*": None,
        "a/b": None,
    },
    "live_key": PATH | NO_FILE,
    "dagster_login": PATH | NO_FILE,
    "metrics_host": TEXT,
    "expansion_ratio": WHOLE | NO_NUMBER,
    "delete_people": WHOLE | NO_NUMBER,
    "source_events_per_second": WHOLE | NO_NUMBER,
    "body_rate_bytes": SIZE | NO_NUMBER | {"0": 0},
    "integration_name": TEXT
    | dict.fromkeys(["Raw", "x warehouse", "-1", "5", "Seamline", "Memory", "SYSTEM", "temp"]),
    "catalog_schema": {"lake_2": "lake_2", "2": None, "Lake": None, "a-b": None, "x" * 31: None},
    "warehouse": {"ducklake:sqlite:x": "ducklake:sqlite:x", "64MiB": None}
    | {f"ducklake:postgres:{address}": None for address in ("", " ", "x", "host=", "s3://b/c")}
    | {f"ducklake:sqlite:{path}": None for path in ("", " ", *NO_FILE)},
    "public_url": {"64MiB": None, "ftp://x": None, "https://x/?key=1": None, "nan": None},
    "trusted_proxies": {"64MiB": None, "10.0.0.0/8, junk": None, "-1": None},
    "workers": WHOLE | NO_NUMBER,
    "keepalive_seconds": WHOLE | NO_NUMBER,
    "batch_events": WHOLE | NO_NUMBER,
    "queue_events": WHOLE | NO_NUMBER,
    "depth": WHOLE | NO_NUMBER | {"129": None},
    "reserve_bytes": SIZE | NO_NUMBER | {"0": 0},
    "alerts_url": WEBHOOK,
    "loaded_url": WEBHOOK,
    "export_parquet": PLACE,
    "export_raw": PLACE,
    "export_postgres": {"64MiB": None, "postgresql://": None}
    | {"dbname=mine": "dbname=mine", "postgresql://db/mine": "postgresql://db/mine"},
    "dagster_storage": {
        "postgresql://db/dagster": "postgresql://db/dagster",
        "dbname=mine": None,
        "postgres://db/dagster": None,
        "postgresql://": None,
    },
    "owners": {
        "ann@example.com, team:data": ("ann@example.com", "team:data"),
        "ann": None,
        "team:": None,
        "team:a,,team:b": None,
    },
    "code_url": WEBHOOK,
    "alarm_landing_hours": DURATION | NO_NUMBER | {"0.05": None},
    "alarm_upkeep_hours": DURATION | NO_NUMBER | {"0.05": None},
    "delete_suppresses": SWITCH,
    "store_shut_out": SWITCH,
    "landing_direct": SWITCH,
}


def _values(field: str) -> dict[str, Any]:
    """The values that are tried for a setting, with what is made of each; None if it is refused."""
    by_suffix = next((SUFFIXES[end] for end in SUFFIXES if field.endswith(end)), None)
    return OTHERS.get(field) or by_suffix or {}


ROWS = [
    pytest.param(part, field, name, value, made, id=f"{name}={value}")
    for part in PARTS
    for field, name in part.names().items()
    for value, made in {"   ": None, **_values(field)}.items()
]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("SEAMLINE_", "DAGSTER_HOME"))]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("part", PARTS)
def test_every_setting_has_values_here(part: type[SharedSettings]) -> None:
    assert [name for name in part.model_fields if not _values(name)] == []


@pytest.mark.parametrize(("part", "field", "name", "value", "made"), ROWS)
def test_a_value_is_taken_for_what_it_says_or_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
    part: type[SharedSettings],
    field: str,
    name: str,
    value: str,
    made: object,
) -> None:
    monkeypatch.setenv(name, value)

    if made is not None:
        taken = getattr(part(_env_file=None), field)
        is_path = "/x" in OTHERS.get(field, {}) and "://" not in str(made)
        assert taken == (ROOT / made if is_path else made)
        return
    with pytest.raises(WrongSettingsError) as refused:
        part(_env_file=None)
    said = str(refused.value)
    assert said.startswith(f"{name}: ")
    assert repr(value) in said or "its value is not shown" in said
    assert "has to " in said
    assert "Input should" not in said


@pytest.mark.parametrize("part", PARTS)
def test_a_setting_that_is_set_to_nothing_is_its_default(
    monkeypatch: pytest.MonkeyPatch, part: type[SharedSettings]
) -> None:
    default = part(_env_file=None)
    for name in part.names().values():
        monkeypatch.setenv(name, "")

    assert part(_env_file=None) == default


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEAMLINE_PUBLIC_URL", "https://me:hunter2@events.example.com"),
        ("SEAMLINE_LANDING_REMOTE", "s3://key:hunter2@bucket"),
        ("SEAMLINE_EXPORT_POSTGRES", "password=hunter2 nonsense"),
        ("SEAMLINE_DAGSTER_STORAGE", "mysql://me:hunter2@db/mine"),
        ("SEAMLINE_WAREHOUSE", "ducklake:postgres:password=hunter2 nonsense"),
    ],
)
def test_a_value_that_may_hold_a_password_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(WrongSettingsError, match=f"^{name}: has to be ") as refused:
        StackSettings()
    assert "hunter2" not in str(refused.value)


def test_a_long_value_is_cut() -> None:
    with pytest.raises(WrongSettingsError) as refused:
        ReceiverSettings(_env_file=None, port="9" * 1000)

    assert len(str(refused.value)) < 200


WRONG = {"SEAMLINE_SEAL_SECONDS": "inf", "SEAMLINE_INTEGRATION_NAME": "raw"}
SAID = (
    "SEAMLINE_INTEGRATION_NAME: is 'raw', and has to be another name: it gives the schema 'raw', "
    "which is Seamline's own; SEAMLINE_SEAL_SECONDS: is 'inf', and has to be a number of seconds "
    "above 0, such as 2 or 0.5, and a century at most"
)


@pytest.fixture
def _wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in WRONG.items():
        monkeypatch.setenv(name, value)


def test_the_receiver_says_it_in_a_line(refusal: Refusal) -> None:
    assert refusal(seal_seconds="inf", integration_name="raw") == SAID


@pytest.mark.usefixtures("_wrong")
def test_the_stack_says_the_same() -> None:
    with pytest.raises(WrongSettingsError) as refused:
        StackSettings()
    assert str(refused.value) == SAID


@pytest.mark.usefixtures("_wrong")
def test_the_commands_of_the_orchestration_say_the_same() -> None:
    refused = CliRunner().invoke(cli, ["load"])

    assert (refused.exit_code, refused.stderr) == (1, f"{SAID}\n")


@pytest.mark.usefixtures("_wrong")
def test_dbt_says_the_same_without_a_traceback() -> None:
    from dbt_common.exceptions import DbtRuntimeError  # noqa: PLC0415 - seconds

    from orchestration.models.command import read_settings  # noqa: PLC0415 - brings dbt

    with pytest.raises(DbtRuntimeError) as refused:
        read_settings()
    assert SAID in str(refused.value)


def test_a_dot_env_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"SEAMLINE_HOST=\xff\n")

    with pytest.raises(WrongSettingsError, match=r"\.env: cannot be read"):
        ReceiverSettings(_env_file=tmp_path / ".env")
