"""The password of a catalog in PostgreSQL: who is shown it, and who is asked for it."""

import os
import subprocess
from pathlib import Path

import psycopg
import pytest

from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from tests.support.house import House
from tests.support.postgres import PASSWORD, Server
from tests.warehouse.postgres_houses import ids_in, land, with_password

pytestmark = pytest.mark.scale


def test_a_password_is_shown_by_nothing_that_is_told_of_it(
    own_house: House, raw_house: Path, postgres: Server
) -> None:
    own_house.move_in(raw_house)
    house = with_password(own_house, postgres)
    land(house.settings, "a")

    printed = house.run("load")
    prompt = house.command("sql", stdin=subprocess.PIPE)
    titles = []
    for line in ("from duckdb_databases();", "select 'rows', count(*) from raw.track;"):
        assert prompt.stdin
        prompt.stdin.write(line + "\n")
        prompt.stdin.flush()
        titles.append(Path(f"/proc/{prompt.pid}/cmdline").read_text())
    shown, _ = prompt.communicate()

    assert house.rows("select message_id from raw.track") == [("a",)]
    assert "rows" in shown
    assert PASSWORD not in printed + shown + "".join(titles)
    assert PASSWORD not in str(house.rows("from duckdb_databases()"))
    assert PASSWORD not in repr(house.settings)
    for path in house.folder.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path


def test_a_password_file_of_libpqs_is_used(
    own_house: House,
    raw_house: Path,
    postgres: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own_house.move_in(raw_house)
    land(own_house.settings, "a")
    secret = tmp_path / "pgpass"
    secret.write_text(f"127.0.0.1:{postgres.port}:*:seamline:{PASSWORD}\n")
    secret.chmod(0o600)
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", str(secret))
    without = f"ducklake:postgres:{postgres.uri.replace(':' + PASSWORD, '')}"
    settings = Settings.model_validate(
        own_house.settings.model_dump(by_alias=True) | {"warehouse": without}
    )

    load(settings)

    assert ids_in(settings) == ["a"]


@pytest.fixture
def another_role(
    postgres: Server,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The address of another database, whose password stands where libpq looks for it."""
    password = "another-one-5d2e"
    with postgres.session() as con:
        con.execute(f"drop role if exists another; create role another login password '{password}'")
    if request.param == "PGPASSFILE":
        secret = tmp_path / "pgpass"
        secret.write_text(f"127.0.0.1:*:*:another:{password}\n")
        secret.chmod(0o600)
        monkeypatch.delenv("PGPASSWORD", raising=False)
        monkeypatch.setenv("PGPASSFILE", str(secret))
    else:
        monkeypatch.setenv("PGPASSWORD", password)
    return f"host=127.0.0.1 port={postgres.port} user=another dbname=lake"


@pytest.mark.parametrize("another_role", ["PGPASSWORD", "PGPASSFILE"], indirect=True)
def test_the_catalogs_password_is_offered_to_no_other_server(
    own_house: House, raw_house: Path, postgres: Server, another_role: str
) -> None:
    settings = with_password(own_house.move_in(raw_house), postgres).settings
    land(settings, "a")
    before = dict(os.environ)

    load(settings)

    assert dict(os.environ) == before
    with connect(settings, read_only=True) as con:
        con.execute(f"attach '{another_role}' as other (type postgres)")
        assert con.execute("select message_id from raw.track").fetchall() == [("a",)]
        query = "from postgres_query('other', 'select current_user')"
        assert con.execute(query).fetchall() == [("another",)]
    psycopg.connect(another_role).close()


@pytest.mark.parametrize("another_role", ["PGPASSWORD"], indirect=True)
def test_each_process_asks_the_catalog_with_its_own_password(
    own_house: House, prepared_house: Path, postgres: Server, another_role: str
) -> None:
    house = with_password(own_house.move_in(prepared_house), postgres)
    land(house.settings, "a")

    house.run("load")
    house.run("rebuild")
    house.dbt("run", "--select", "stg_segment__track", "track")
    prompt = house.command("sql", stdin=subprocess.PIPE)
    shown, _ = prompt.communicate(
        f"attach '{another_role}' as other (type postgres);select message_id || '-here' from track;"
    )

    assert "a-here" in shown
    assert "rror" not in shown
    assert "Success" not in shown
