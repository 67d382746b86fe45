"""deploy/Containerfile and deploy/compose.yaml: what they name is there, and tools take them."""

import json
import re
import shutil
import subprocess
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from landed.folders import NOT_STORED, SUPPRESSED
from landed.object_store import WAITING
from landed.settings import ROOT
from seamline.commands import COMMANDS
from stack.settings import Settings

FOLDER = ROOT / "deploy"
CONTAINERFILE = (FOLDER / "Containerfile").read_text()
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
OURS: dict[str, Any] = {
    name: service
    for name, service in COMPOSE["services"].items()
    if service["image"].startswith("seamline")
}
SECRETS = {
    "POSTGRES_PASSWORD": "0f3a",
    "STORE_PASSWORD": "9c1d",
    "RECEIVER_STORE_PASSWORD": "77e2",
}
IS_SECRET = re.compile("PASSWORD|SECRET|KEY$")


def test_the_image_has_every_package_and_nothing_by_a_whole_folder() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", CONTAINERFILE, re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    packages = set(wheel["targets"]["wheel"]["packages"])

    assert packages | {"dbt_project", "dagster.yaml", "workspace.yaml", "profiles.yml"} <= names
    assert all((ROOT / name).exists() for name in names)
    assert not names & {".", "landing", "warehouse", ".env"}


def test_the_image_takes_packages_by_hash_and_runs_as_nobody_in_particular() -> None:
    assert "--require-hashes -r requirements.lock" in CONTAINERFILE
    assert re.findall(r"^USER (.+)$", CONTAINERFILE, re.MULTILINE) == ["10001:10001"]
    assert "HEALTHCHECK" in CONTAINERFILE
    set_here = set(re.findall(r"\b(SEAMLINE_\w+|DAGSTER_HOME)=", CONTAINERFILE))
    assert set_here <= set(Settings.names().values())


@pytest.mark.parametrize("name", OURS)
def test_what_a_service_starts_and_sets_is_there(name: str) -> None:
    service = OURS[name]
    set_here = {key for key in service["environment"] if not key.startswith("AWS_")}

    assert set_here <= set(Settings.names().values())
    if "entrypoint" in service:
        assert service["entrypoint"][:2] == ["python", "-m"]
        assert find_spec(service["entrypoint"][2])
    else:
        assert service["command"][0] in COMMANDS
    assert service["read_only"]


def test_no_secret_stands_in_the_file() -> None:
    values = {
        value
        for service in COMPOSE["services"].values()
        for key, value in service.get("environment", {}).items()
        if IS_SECRET.search(key) and key != "AWS_ACCESS_KEY_ID"
    }

    assert values
    assert all(value.startswith("${") for value in values)
    example = (FOLDER / "compose" / "secrets.env.example").read_text()
    assert re.findall(r"^(\w+)=$", example, re.MULTILINE) == list(SECRETS)


def test_each_receiver_has_a_volume_of_its_own_with_a_shipper() -> None:
    data = {
        name: next(one for one in service["volumes"] if one.endswith(":/data"))
        for name, service in OURS.items()
    }

    for number in ("1", "2"):
        assert data[f"receiver-{number}"] == data[f"shipper-{number}"]
    assert data["receiver-1"] != data["receiver-2"]
    assert {data[name] for name in ("fetch", "webserver", "daemon", "prepare")} == {"loader:/data"}


RECEIVE = {name for name in OURS if name.startswith(("receiver", "shipper"))}


@pytest.mark.parametrize("name", sorted(RECEIVE))
def test_what_receives_has_no_key_of_what_was_loaded_and_no_login_of_dagsters(name: str) -> None:
    service, loader = OURS[name], OURS["fetch"]
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")

    assert all(service["environment"][key] != loader["environment"][key] for key in keys)
    assert service["environment"].keys() == OURS["receiver-1"]["environment"].keys()
    assert not any("login" in volume for volume in service["volumes"])
    assert all("POSTGRES" not in str(value) for value in service["environment"].values())


def test_what_is_reached_from_outside_reaches_the_store_alone_of_the_rest() -> None:
    of_front = {name for name, one in COMPOSE["services"].items() if "front" in one["networks"]}
    of_both = {
        name for name, one in COMPOSE["services"].items() if one["networks"] == ["front", "back"]
    }

    assert of_front == RECEIVE | {"nginx", "store"}
    assert of_both == {"store"}


def test_the_policy_of_what_receives_is_what_the_page_says() -> None:
    statements = json.loads((FOLDER / "compose" / "receiver-policy.json").read_text())["Statement"]
    may = {
        action: {one.rpartition(":")[2].partition("/")[2] for one in statement["Resource"]}
        for statement in statements
        for action in statement["Action"]
    }

    assert may == {
        "s3:ListBucket": {""},
        "s3:GetObject": {f"seamline/{name}/*" for name in (WAITING, NOT_STORED, SUPPRESSED)},
        "s3:PutObject": {f"seamline/{name}/*" for name in (WAITING, NOT_STORED)},
    }


@pytest.mark.integration
def test_compose_takes_it() -> None:
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("wants docker-compose")
    command = [program, "-f", str(FOLDER / "compose.yaml"), "config", "--quiet"]

    with_secrets = subprocess.run(
        command, env=SECRETS, check=False, capture_output=True, text=True, cwd=ROOT
    )
    without = subprocess.run(command, env={}, check=False, capture_output=True, text=True, cwd=ROOT)

    assert (with_secrets.returncode, with_secrets.stderr) == (0, "")
    assert "in deploy/compose/secrets.env" in without.stderr


@pytest.mark.integration
def test_nginx_takes_its_file(tmp_path: Path) -> None:
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("wants nginx")
    text = (FOLDER / "compose" / "nginx.conf").read_text()
    (tmp_path / "site.conf").write_text(re.sub(r"receiver-\d:", "127.0.0.1:", text))
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/pid; events {{}} http {{ include {tmp_path}/site.conf; }}\n")

    done = subprocess.run(
        [program, "-t", "-p", str(tmp_path), "-c", str(whole)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr
