"""deploy/helm: the chart's manifests hang together, and the values for Dagster's chart fit them.

Helm is in no package registry that tests may ask. The chart uses three of its expressions, which
are put in here.
"""

import re
from typing import Any

import pytest
import yaml

from landed.settings import ROOT
from orchestration.definitions import defs
from seamline.commands import COMMANDS
from stack.settings import Settings
from stack.supervisor import GRACE

CHART = ROOT / "deploy" / "helm" / "seamline"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
DAGSTER = yaml.safe_load((ROOT / "deploy" / "helm" / "dagster-values.yaml").read_text())
RELEASE = "seamline"


def _value(path: str) -> Any:
    found = VALUES
    for name in path.removeprefix(".Values.").split("."):
        found = found[name]
    return found


def _block(match: re.Match[str]) -> str:
    text = yaml.safe_dump(_value(match[1])).rstrip()
    return "".join(f"\n{' ' * int(match[2])}{line}" for line in text.splitlines())


def _rendered(text: str) -> list[dict[str, Any]]:
    text = text.replace("{{ .Release.Name }}", RELEASE)
    text = re.sub(r"\s*\{\{- toYaml (\.Values[\w.]+) \| nindent (\d+) \}\}", _block, text)
    text = re.sub(r"\{\{ (\.Values[\w.]+) \}\}", lambda match: str(_value(match[1])), text)
    assert "{{" not in text
    return list(yaml.safe_load_all(text))


MANIFESTS = [
    made
    for path in sorted((CHART / "templates").glob("*.yaml"))
    for made in _rendered(path.read_text())
]
BY_NAME = {(made["kind"], made["metadata"]["name"]): made for made in MANIFESTS}


def _pod(part: str) -> dict[str, Any]:
    pod: dict[str, Any] = BY_NAME["StatefulSet", f"{RELEASE}-{part}"]["spec"]["template"]["spec"]
    return pod


CONTAINERS = [
    pytest.param(part, container, id=f"{part}-{container['name']}")
    for part in ("receiver", "loader")
    for container in [*_pod(part).get("initContainers", []), *_pod(part)["containers"]]
]


@pytest.mark.parametrize("part", ["receiver", "loader"])
def test_services_find_their_pods_and_ports(part: str) -> None:
    pods = BY_NAME["StatefulSet", f"{RELEASE}-{part}"]
    labels = pods["spec"]["template"]["metadata"]["labels"]
    service = BY_NAME["Service", f"{RELEASE}-{part}"]["spec"]
    ports = {port["name"] for one in _pod(part)["containers"] for port in one.get("ports", [])}

    assert pods["spec"]["selector"]["matchLabels"] == labels == service["selector"]
    assert pods["spec"]["serviceName"] == f"{RELEASE}-{part}"
    assert {port["targetPort"] for port in service["ports"]} == ports


@pytest.mark.parametrize(("part", "container"), CONTAINERS)
def test_a_container_starts_what_is_there_and_may_do_little(
    part: str, container: dict[str, Any]
) -> None:
    program, first, *_ = container["command"]
    volumes = {volume["name"] for volume in _pod(part)["volumes"]} | {"data"}

    assert (program, first) == ("dagster", "api") or (program == "seamline" and first in COMMANDS)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    (config, secret) = container["envFrom"]
    set_here = BY_NAME["ConfigMap", config["configMapRef"]["name"]]["data"]
    assert {name for name in set_here if not name.startswith("AWS_")} <= {
        *Settings.names().values()
    }
    assert secret["secretRef"]["name"] == VALUES[part]["secretName"]


def test_pods_have_time_to_end_and_a_volume_each() -> None:
    for part in ("receiver", "loader"):
        assert _pod(part)["terminationGracePeriodSeconds"] > GRACE
        (claim,) = BY_NAME["StatefulSet", f"{RELEASE}-{part}"]["spec"]["volumeClaimTemplates"]
        assert claim["metadata"]["name"] == "data"
    assert BY_NAME["StatefulSet", f"{RELEASE}-loader"]["spec"]["replicas"] == 1


def test_a_receiver_is_asked_whether_it_lands_and_one_goes_at_a_time() -> None:
    (receiver, _) = _pod("receiver")["containers"]
    budget = BY_NAME["PodDisruptionBudget", f"{RELEASE}-receiver"]["spec"]

    assert receiver["readinessProbe"]["httpGet"] == {"path": "/health/ready", "port": "http"}
    assert receiver["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": "http"}
    assert budget["maxUnavailable"] == 1


def test_dagsters_pods_alone_reach_the_code_server() -> None:
    policy = BY_NAME["NetworkPolicy", f"{RELEASE}-loader"]["spec"]
    ports = {port["name"] for one in _pod("loader")["containers"] for port in one.get("ports", [])}
    (rule,) = policy["ingress"]

    assert policy["policyTypes"] == ["Ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": VALUES["loader"]["dagsterPods"]}}]
    assert {port["port"] for port in rule["ports"]} == ports


def test_a_receiver_reaches_a_name_server_and_the_store_alone() -> None:
    policy = BY_NAME["NetworkPolicy", f"{RELEASE}-receiver"]["spec"]
    (rule,) = policy["egress"]

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert {port["port"] for port in rule["ports"]} == {53, VALUES["receiver"]["storePort"]}
    assert VALUES["receiver"]["settings"]["SEAMLINE_TRUSTED_PROXIES"] == ""  # yours to say


@pytest.mark.parametrize("part", ["receiver", "loader"])
def test_network_policies_are_of_our_pods(part: str) -> None:
    pods = BY_NAME["StatefulSet", f"{RELEASE}-{part}"]["spec"]["selector"]
    assert BY_NAME["NetworkPolicy", f"{RELEASE}-{part}"]["spec"]["podSelector"] == pods


def test_dagsters_chart_asks_the_loader_for_code_and_is_as_our_dagster_yaml() -> None:
    (server,) = DAGSTER["dagsterWebserver"]["workspace"]["servers"]
    ours = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    (location,) = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    (code,) = [one for one in _pod("loader")["containers"] if one["name"] == "code"]
    daemon = DAGSTER["dagsterDaemon"]

    assert ("Service", server["host"]) in BY_NAME
    assert str(server["port"]) in code["command"]
    assert server["name"] == location["python_module"]["location_name"]
    assert code["command"][-1] == location["python_module"]["module_name"]
    assert defs.resolve_job_def("load")
    assert (
        DAGSTER["global"]["postgresqlSecretName"]
        == (code["env"][0]["valueFrom"]["secretKeyRef"]["name"])
    )
    for given, key in (
        (DAGSTER["runLauncher"]["config"]["customRunLauncher"], "run_launcher"),
        (daemon["runCoordinator"]["config"]["customRunCoordinator"], "run_coordinator"),
    ):
        assert {**given, "config": None} == {**ours[key], "config": None}
    assert daemon["runMonitoring"] == {
        "enabled": ours["run_monitoring"]["enabled"],
        "startTimeoutSeconds": ours["run_monitoring"]["start_timeout_seconds"],
        "cancelTimeoutSeconds": ours["run_monitoring"]["cancel_timeout_seconds"],
        "pollIntervalSeconds": ours["run_monitoring"]["poll_interval_seconds"],
    }
    assert (
        DAGSTER["pythonLogs"]["managedPythonLoggers"]
        == (ours["python_logs"]["managed_python_loggers"])
    )
    assert DAGSTER["additionalInstanceConfig"] == {
        name: ours[name] for name in ("freshness", "nux")
    }
