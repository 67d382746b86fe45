"""Whole numbers that a double does not hold, in a warehouse of a version that took them for others.

It listed them as `bigint`. What raw has says which they are; the digits of those that it rounded,
where it had them in a column of doubles, are restored behind that (columns/widened.py).
"""

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from landed.folders import CALLS
from orchestration.loading.field_rows import add_up_fields
from orchestration.loading.fields import note_fields
from orchestration.loading.observed_fields import HAS_LONG_NUMBER, LONG
from orchestration.warehouse.catalog import columns_in, number

_AT_ONCE = 20_000
"""Events that are looked at together."""


def list_long_numbers(con: duckdb.DuckDBPyConnection) -> None:
    """List them in `raw.field` as a type of their own, and note it in `raw.repair`.

    In an open transaction. It reads every payload once.
    """
    copies, listed = 0, []
    for call in sorted(columns_in(con, "raw").keys() & set(CALLS)):
        con.execute(
            f"""
            create or replace temp table long_numbers as
            select *, row_number() over () as number from raw."{call}" where {HAS_LONG_NUMBER}
            """  # noqa: S608 - our own words
        )
        found = number(con, "select count(*) from long_numbers")
        copies += found
        for first in range(1, found + 1, _AT_ONCE):
            con.execute(
                f"""
                create or replace temp view usable_events as
                select * exclude (number) from long_numbers
                where number between {first} and {first + _AT_ONCE - 1}
                """  # noqa: S608 - numbers
            )
            noted = note_fields(con, call, lists_new=False)
            con.execute("drop view usable_events")
            listed.append(noted.filter(pc.equal(noted["type"], LONG)))
        con.execute("drop table long_numbers")
    if any(map(len, listed)):
        _list(con, pa.concat_tables(listed))
    con.execute(
        "insert into raw.repair by name "
        "select timezone('UTC', now()) as repaired_at, $1 as what, $2 as rows, $3 as fields",
        [LONG, copies, sum(map(len, listed))],
    )


def _list(con: duckdb.DuckDBPyConnection, noted: pa.Table) -> None:
    """Add the rows of long numbers; as many values of `bigint` there are less."""
    con.register("noted", noted)
    con.execute("insert into raw.field by name from noted")
    con.execute(
        "insert into raw.field by name "
        "select * replace ('bigint' as type, -count as count) from noted"
    )
    con.unregister("noted")
    add_up_fields(con)
    con.execute("delete from raw.field where type = 'bigint' and count <= 0")
