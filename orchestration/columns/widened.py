"""Final tables follow where their numbers are placed.

Columns of whole numbers that have met a fraction are `double` from then on, in place: readers go
on, and what a double would not hold is in a text beside it. Tables of an earlier version, which
had a sibling for the fractions, are brought to the same.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping

import duckdb

from orchestration.columns.names import names_of_numbers
from orchestration.columns.placement import Placement
from orchestration.loading.field_paths import Keys
from orchestration.loading.observed_fields import LONG
from orchestration.warehouse.catalog import (
    column_types_in,
    comments,
    full_name,
    literal,
    now,
    number,
    quoted,
)
from orchestration.warehouse.transaction import transaction

log = logging.getLogger(__name__)

_DIGITS = "digits"
_EMPTIED = "What of an earlier version was here: its numbers are in another column now."
"""The comment on a sibling of an earlier version, while views still name it."""

_OF_NUMBERS = ("int64", "float64")
_BEYOND = "({0} >= 9007199254740992 or {0} <= -9007199254740992)"  # 2^53 may be one rounded
_IS_HELD = "coalesce(try_cast(cast({0} as double) as hugeint) = {0}, false)"


class _Table:
    """A final table: what it has, and what is placed in it."""

    def __init__(self, name: str, there: dict[str, str], placed: Iterable[Placement]) -> None:
        """Look at it.

        Args:
            name: The call.
            there: Its columns and their types, in DuckLake's words.
            placed: All placements of the call.
        """
        self.name = name
        self.there = there
        self.placed = [one for one in placed if one.table_name == name and one.status == "column"]
        self.types: dict[str, str] = {}
        for one in self.placed:
            for column, kind in (
                (one.column_name, one.column_type),
                (one.sibling_name, one.sibling_type),
            ):
                if one.type and column and kind:
                    self.types.setdefault(column, kind)

    def widened(self) -> list[str]:
        """Its columns of whole numbers that are placed as double."""
        return [
            column
            for column, kind in self.there.items()
            if kind == "int64" and self.types.get(column) == "double"
        ]

    def merged(self, before: set[str]) -> dict[str, str]:
        """Its siblings for numbers, of those before, that are placed no more → what has them."""
        found: dict[str, str] = {}
        for column in sorted(before & self.there.keys() - self.types.keys()):
            names = names_of_numbers(column)
            if column in names[1:]:
                for to in names:
                    if self.types.get(to) == "double" and self.there.get(to) in _OF_NUMBERS:
                        found[column] = to
        return found

    def rounding(self) -> Iterator[tuple[str, str, Keys]]:
        """Columns of doubles, each with that for what it cannot hold and a field of both."""
        for one in self.placed:
            if one.column_type == "double" and one.sibling_type == "varchar":
                yield one.column_name or "", one.sibling_name or "", one.keys
            elif one.type == LONG and one.column_type == "varchar" and not one.is_declared:
                doubles = {
                    other.column_name
                    for other in self.placed
                    if other.keys == one.keys and other.column_type == "double"
                }
                for column in filter(None, doubles):
                    yield column, one.column_name or "", one.keys

    def numbers_in(self, column: str) -> list[Placement]:
        """The fields whose numbers are in a column, in the order in which the models take one."""
        return [
            one
            for one in self.placed
            if one.column_name == column and one.type in ("bigint", "double")
        ]

    def text_of(self, column: str) -> str | None:
        """The column for what one of doubles cannot hold, if anything was seen of that."""
        keys = {one.keys for one in self.placed if one.column_name == column}
        texts = [one.column_name for one in self.placed if one.type == LONG and one.keys in keys]
        return next((text for text in texts if text in self.types and text != column), None)


def follow_numbers(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    placements: Mapping[str, list[Placement]],
    before: set[tuple[str, str]],
) -> None:
    """Let the final tables have the columns of numbers that are placed; a transaction for each.

    Args:
        con: The warehouse.
        schema: That of the final tables.
        placements: All placements of each call.
        before: Table and column of all placements before these.
    """
    there = column_types_in(con, schema)
    for call in sorted(placements.keys() & there.keys()):
        table = _Table(call, there[call], placements[call])
        columns = table.widened()
        merged = table.merged({column for name, column in before if name == call})
        if columns or merged:
            with transaction(con):
                _widen(con, full_name(schema, call), table, columns)
                _merge(con, full_name(schema, call), table, merged)
            log.info(
                "%d columns of %s are double from now on, as fractions came to whole numbers, and "
                "%d columns beside them are one with them. `seamline columns` lists their types.",
                *(len(columns), call, len(merged)),
            )


def restore_digits(
    con: duckdb.DuckDBPyConnection, schema: str, placements: Mapping[str, list[Placement]]
) -> None:
    """Take what an earlier version rounded out of columns of doubles, and put its digits beside it.

    Once: `raw.repair` says whether it is to be done, and that it was.
    """
    repaired = {what for (what,) in con.execute("select what from raw.repair").fetchall()}
    if LONG not in repaired or _DIGITS in repaired:
        return
    there = column_types_in(con, schema)
    rows = 0
    with transaction(con):
        for call in sorted(placements.keys() & there.keys()):
            table = _Table(call, there[call], placements[call])
            for column, text, keys in table.rounding():
                if table.there.get(column) == "float64":
                    rows += _restore(con, full_name(schema, call), table, column, text, keys)
        con.execute(
            "insert into raw.repair by name "
            "select timezone('UTC', now()) as repaired_at, $1 as what, $2 as rows",
            [_DIGITS, rows],
        )


def _restore(
    con: duckdb.DuckDBPyConnection, name: str, table: _Table, column: str, text: str, keys: Keys
) -> int:
    value, digits = quoted(column), quoted(text)
    beyond = f"from {name} where {_BEYOND.format(value)}"
    if not con.execute(f"{beyond} limit 1").fetchone():
        return 0
    _add_columns(con, name, table, text)
    pointer = _pointer(keys)
    return number(
        con,
        f"""
        update {name} set {digits} = coalesce({digits}, sent.digits), {value} = null
        from (
            select file, line, payload ->> {literal(pointer)} as digits
            from raw.{quoted(table.name)}
            where (file, line) in (select (_seamline_file, _seamline_line) {beyond})
        ) as sent
        where _seamline_file = sent.file and _seamline_line = sent.line
            and {value} = try_cast(sent.digits as double)
            and regexp_full_match(sent.digits, '-?[0-9]+')
            and not {_IS_HELD.format("try_cast(sent.digits as hugeint)")}
        """,  # noqa: S608 - quoted
    )


def _widen(
    con: duckdb.DuckDBPyConnection, name: str, table: _Table, columns: Iterable[str]
) -> None:
    for column in columns:
        _keep_digits(con, name, table, column, table.text_of(column))
        con.execute(f"alter table {name} alter column {quoted(column)} set data type double")


def _merge(
    con: duckdb.DuckDBPyConnection, name: str, table: _Table, merged: Mapping[str, str]
) -> None:
    for column, to in merged.items():
        if table.there[column] == "int64":
            _keep_digits(con, name, table, column, table.text_of(to))
        fields = table.numbers_in(to)
        if len({one.keys for one in fields}) > 1:
            _choose_first(con, name, table, (column, to), fields)
        con.execute(
            f"""
            update {name} set
                {quoted(to)} = coalesce({quoted(to)}, {quoted(column)}), {quoted(column)} = null
            where {quoted(column)} is not null
            """  # noqa: S608 - quoted
        )
        con.execute(f"comment on column {name}.{quoted(column)} is {literal(_EMPTIED)}")


def _choose_first(
    con: duckdb.DuckDBPyConnection,
    name: str,
    table: _Table,
    columns: tuple[str, str],
    fields: Iterable[Placement],
) -> None:
    """Where keys of one name have sent a number each, let that of the first of them be there."""
    merged, to = map(quoted, columns)
    numbers = ", ".join(map(_number, fields))
    con.execute(
        f"""
        update {name} set {to} = sent.number
        from (
            select file, line, coalesce({numbers}) as number from raw.{quoted(table.name)}
        ) as sent
        where _seamline_file = sent.file and _seamline_line = sent.line
            and {merged} is not null and {to} is not null
        """  # noqa: S608 - quoted
    )


def _number(one: Placement) -> str:
    at = literal(_pointer(one.keys))
    is_whole = one.type == "bigint" and one.read_as == "json"
    kinds = "'UBIGINT', 'BIGINT'" + ("" if is_whole else ", 'DOUBLE'")
    return f"if(json_type(payload, {at}) in ({kinds}), try_cast(payload ->> {at} as double), null)"


def _pointer(keys: Keys) -> str:
    """Where a field is in the payload, as a JSON pointer."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def _keep_digits(
    con: duckdb.DuckDBPyConnection, name: str, table: _Table, column: str, text: str | None
) -> None:
    """Put into a text what a double would not hold of a column of whole numbers."""
    if text is None:
        return
    _add_columns(con, name, table, text)
    value, digits = quoted(column), quoted(text)
    con.execute(
        f"""
        update {name} set
            {digits} = coalesce({digits}, cast({value} as varchar)), {value} = null
        where {_BEYOND.format(value)} and not {_IS_HELD.format(value)}
        """  # noqa: S608 - quoted
    )


def _add_columns(con: duckdb.DuckDBPyConnection, name: str, table: _Table, up_to: str) -> None:
    """Add the columns that are lacking, up to one of them, in the order in which dbt would."""
    columns = list(table.types)
    for column in columns[: columns.index(up_to) + 1]:
        if column not in table.there:
            kind = table.types[column]
            con.execute(f"alter table {name} add column {quoted(column)} {kind}")
            table.there[column] = kind


def drop_emptied(con: duckdb.DuckDBPyConnection, schema: str) -> list[str]:
    """Drop the columns whose numbers are in another one now, but those that a view still names.

    Returns:
        Table and column of those, with a dot between.
    """
    emptied = [
        place[2:]
        for place, text in comments(con).items()
        if place[:2] == ("column", schema) and text == _EMPTIED
    ]
    left = []
    for table, column in emptied:
        if _is_named(con, column):
            left.append(f"{table}.{column}")
        else:
            con.execute(f"alter table {full_name(schema, table)} drop column {quoted(column)}")
    return left


def _is_named(con: duckdb.DuckDBPyConnection, column: str) -> bool:
    query = f"select count(*) from {now('view')} where contains(sql, $1)"  # noqa: S608
    return number(con, query, column) > 0
