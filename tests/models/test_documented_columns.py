"""The documented columns: there from the first day, with name, type and description."""

import pytest
import yaml

from landed.settings import ROOT
from orchestration.columns.documented import ENVELOPE, RECEIPT_COLUMNS, documented_fields
from tests.support.house import TABLES, House

RECEIPT = {
    "_sdc_received_at": "timestamp",
    "_sdc_batched_at": "timestamp",
    "_sdc_sequence": "bigint",
    "_sdc_table_version": "bigint",
    "_seamline_source": "varchar",
    "_seamline_credential": "varchar",
    "_seamline_load_id": "bigint",
    "_seamline_file": "varchar",
    "_seamline_line": "bigint",
    "_seamline_unread_times": "varchar",
}


def documented(table: str) -> dict[str, str]:
    """Column → type, by dbt_project.yml."""
    types = {ENVELOPE: "varchar", "time": "timestamp"}
    fields = documented_fields(table).values()
    return {to.column: types.get(to.type, to.type) for to in fields} | RECEIPT


@pytest.fixture(scope="module")
def empty(built_house: House) -> House:
    """A house without an event."""
    return built_house


@pytest.mark.parametrize("table", TABLES)
def test_they_are_described(table: str) -> None:
    page = yaml.safe_load((ROOT / "dbt_project/models/segment/_segment__models.yml").read_text())
    (model,) = (model for model in page["models"] if model["name"] == table)
    described = {column["name"]: column["data_type"] for column in model["columns"]}

    assert described == documented(table)
    assert RECEIPT.keys() == RECEIPT_COLUMNS
    assert all(column["description"] for column in model["columns"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("table", TABLES)
def test_they_are_there_before_the_first_event(empty: House, table: str) -> None:
    columns = {name: kind.lower() for name, kind, *_ in empty.rows(f'describe segment."{table}"')}

    assert columns == documented(table)


@pytest.mark.timeout(600)
def test_segments_relations_are_there_too(empty: House) -> None:
    found = empty.rows(
        "select view_name from duckdb_views() where schema_name = 'segment_warehouse' order by 1"
    )

    assert [name for (name,) in found] == [
        *("accounts", "aliases", "groups", "identifies", "pages", "screens", "tracks", "users")
    ]
