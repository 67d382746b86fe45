"""The documented fields: those Segment's spec names, with the column and type each always has.

They are listed once, in `vars` of dbt_project/dbt_project.yml, a line each: path and type.
"""

from functools import cache
from typing import NamedTuple

from orchestration.columns.names import column_name
from orchestration.loading.field_paths import Keys
from orchestration.models.project_vars import dbt_vars
from orchestration.warehouse.raw_tables import WITH_TABLE

CALLS = tuple(sorted(WITH_TABLE))
"""The calls that have a table, by name."""

ENVELOPE = "envelope"
"""The type of a field whose column is filled from the landed line, beside the payload."""

COLUMN_TYPES = {"time": "timestamp", ENVELOPE: "varchar"}
"""Our words for what is not read like a field → the type of its column."""

RECEIPT = ("_sdc_", "_seamline_")
"""How the names of our own columns begin; a sender's that begins so has an underscore behind."""

RECEIPT_COLUMNS = frozenset(
    {
        "_sdc_received_at",
        "_sdc_batched_at",
        "_sdc_sequence",
        "_sdc_table_version",
        "_seamline_source",
        "_seamline_credential",
        "_seamline_load_id",
        "_seamline_file",
        "_seamline_line",
        "_seamline_unread_times",
    }
)
"""How a row came here: the columns that each final table has besides those of fields."""


class Documented(NamedTuple):
    """A documented field's column."""

    column: str
    type: str


@cache
def documented_fields(call: str) -> dict[Keys, Documented]:
    """The documented fields of a call, by path."""
    variables = dbt_vars()
    lines = f"{variables['common_fields']}\n{variables['own_fields'].get(call, '')}"
    fields = {}
    for line in lines.splitlines():
        if line.strip():
            path, kind = line.split()
            keys = tuple(path.split("."))
            fields[keys] = Documented(column_name(keys), kind)
    return fields
