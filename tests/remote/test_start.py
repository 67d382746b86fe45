"""What can never work is refused at the start, in a line; what may work later is waited for."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from landed.buckets import Patience
from landed.object_store import Store, StoreError
from orchestration.__main__ import cli as orchestration
from receiver.__main__ import cli as receiver
from stack.errors import StackError
from stack.preflight import check_store
from tests.remote.machines import Machines
from tests.support.object_store import FailingStore
from tests.support.processes import free_port

NO_BUCKET = "SEAMLINE_LANDING_REMOTE: s3://no-such-bucket/x cannot be used: there is no such bucket"


@pytest.mark.scale
@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_refused() -> None:
    with pytest.raises(StackError) as refused:
        check_store("s3://no-such-bucket/x")
    assert str(refused.value) == NO_BUCKET


@pytest.mark.scale
@pytest.mark.usefixtures("bucket")
def test_who_ships_says_so_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEAMLINE_LANDING", str(tmp_path / "landing"))
    monkeypatch.setenv("SEAMLINE_LANDING_REMOTE", "s3://no-such-bucket/x")

    done = CliRunner().invoke(receiver, ["ship", "--once"])

    assert (done.exit_code, done.stderr) == (1, NO_BUCKET + "\n")


@pytest.mark.scale
def test_keys_of_no_use_are_refused_and_not_shown(
    machines: Machines, failing: FailingStore
) -> None:
    failing.fault = lambda _method, _path: "403"

    with pytest.raises(StackError, match="SEAMLINE_LANDING_REMOTE") as refused:
        check_store(machines.address)
    assert "403" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.scale
def test_without_keys_it_is_said(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{free_port()}")

    with pytest.raises(StoreError, match="the environment has no keys for it"):
        Store(machines.address, Patience(0.5, 0, 1)).check()


@pytest.mark.scale
def test_a_store_that_does_not_answer_is_waited_for(
    machines: Machines, failing: FailingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing.fault = lambda _method, _path: "503"
    check_store(machines.address)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    check_store(machines.address)


@pytest.mark.parametrize(("part", "command"), [(receiver, "ship"), (orchestration, "fetch")])
@pytest.mark.usefixtures("settings")
def test_without_an_address_the_setting_is_named(part: object, command: str) -> None:
    done = CliRunner().invoke(part, [command])  # type: ignore[arg-type]

    assert done.exit_code == 1
    assert done.stderr.startswith("SEAMLINE_LANDING_REMOTE says ")
    assert done.stderr.count("\n") == 1
