"""What an operator reads is what there is: metrics, codes, reasons, and a unit that is valid."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from landed.settings import ROOT
from orchestration.loading.people import USER, Id
from orchestration.loading.suppressed import begin
from tests.support.processes import eventually
from tests.support.receiver.senders import new_id
from tests.support.receiver.server import RunningReceiver

PAGE = (ROOT / "docs/operate-receiver.md").read_text()
CODES = r"(?:RequestRefusedError\(\s*\d+,|NotLandedError\(|Problem\(|_UnusableError\()\s*\"(\w+)\""


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
    source = "\n".join(path.read_text() for path in (ROOT / "receiver").rglob("*.py"))
    codes = set(re.findall(CODES, source))

    assert {"cut_short", "busy", "disk_full", "too_deep"} & codes
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is not installed, so the documented unit is NOT tested",
)
def test_the_unit_is_valid(tmp_path: Path) -> None:
    (unit,) = re.findall(r"^```ini\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    path = tmp_path / "seamline-receiver.service"
    # It looks whether the program is there.
    path.write_text(unit.replace("/opt/seamline/.venv/bin/python", sys.executable))

    said = subprocess.run(
        [shutil.which("systemd-analyze") or "", "verify", path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (said.returncode, said.stderr) == (0, "")
