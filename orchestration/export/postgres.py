"""The final tables in a PostgreSQL database, in a schema of the same name.

A table is cut into the hours of receipt. Rows that are gone here go first, in a transaction of
their own, so that nothing that comes holds up an erasure. Then the hours that have changed are
exchanged in one transaction, in which is also noted what was exported, so that whoever reads sees
the table before or after it, and a death leaves it before. If PostgreSQL does not take that, it is
tried in halves, until what it does not take is an hour alone, which is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import duckdb

from orchestration.export.changes import (
    RECEIVED_AT,
    Changes,
    Exported,
    Part,
    changes,
    rows_of,
)
from orchestration.export.errors import ExportFailedError
from orchestration.export.moved_rows import gone_and_moved, units
from orchestration.export.names import MORE
from orchestration.export.postgres_columns import (
    Columns,
    columns_there,
    forget_lost,
    is_in_place,
    make_columns,
)
from orchestration.export.postgres_database import ATTACHED, SETTING, Database
from orchestration.export.postgres_state import LEFT_OUT, PostgresState, note, prepare, read
from orchestration.export.postgres_values import more, value, value_of_old_type
from orchestration.export.snapshot import TableSnapshot
from orchestration.warehouse.catalog import literal, quoted

_MANY = 1_000
"""Rows that one statement names."""

_NAMED = 5
"""Hours that a message names."""


class Target:
    """A database that is exported to."""

    def __init__(self, con: duckdb.DuckDBPyConnection, address: str, schema: str) -> None:
        """Attach it, and make its schema, as far as missing.

        Args:
            con: The warehouse.
            address: A connection string or URI of libpq's.
            schema: That of the final tables, there as here.

        Raises:
            ExportFailedError: it cannot be used.
        """
        self._database = Database(con, address, schema)
        prepare(self._database)

    def export(self, of: TableSnapshot) -> Exported:
        """Bring a table up to date.

        Args:
            of: The table, in a snapshot.

        Raises:
            ExportFailedError: the database did not take it; it has what it had.
            SnapshotExpiredError: nothing is written of it any more.
        """
        table, database = of.table, self._database
        known = read(database, table)
        there = columns_there(database, table)
        if there and not known.columns:
            raise ExportFailedError(
                f"{SETTING}: {database.shown}: {database.schema}.{table} is there, and no export "
                "of ours has made it. It is as it was; remove or rename it."
            )
        if not there:  # somebody has removed it
            known = PostgresState()
        else:
            forget_lost(known, of.columns, there)
        found = changes(of, "hour", known, in_place=is_in_place)
        done = Exported()
        with database.told():
            moved = self._remove_gone(of, found, known)
            columns = make_columns(database, table, found, known, there, done)
            parts: list[dict[str, Part]] = (
                [found.changed | dict.fromkeys(found.gone, LEFT_OUT)]
                if known.parts  # a row that leaves an hour for another is never missing
                else list(found.portions())
            )
            write = _Write(of, found, columns, known, done)
            for portion in parts:
                self._write(write, units(portion, moved))
            done.problems += write.problems()
            if found.files != known.files:
                known.files = found.files
                with database.transaction():
                    note(database, table, known, [])
        done.total = sum(part.rows for part in known.parts.values())
        return done

    def _remove_gone(
        self, of: TableSnapshot, found: Changes, known: PostgresState
    ) -> list[tuple[str, str]]:
        """Remove the rows that are gone here; return from which hour to which others move."""
        parts = [start for start in (*found.changed, *found.gone) if start in known.parts]
        if not parts:
            return []
        database = self._database
        name, at = database.name(of.table), ", ".join(map(literal, parts))
        database.look_again()
        theirs = (
            f"select message_id, hour as start from unnest(array[{at}]::timestamp[]) as hour "  # noqa: S608 - quoted
            f"join {name} on {RECEIVED_AT} >= hour and {RECEIVED_AT} < hour + interval '1 hour'"
        )
        gone, moved = gone_and_moved(database.con, (ATTACHED, theirs), of.name, parts)
        if gone:
            of.check()
            with database.transaction():
                for at_once in range(0, len(gone), _MANY):
                    ids = ", ".join(
                        f"('{one.encode().hex()}')" for one in gone[at_once : at_once + _MANY]
                    )
                    database.do(
                        f"delete from {name} using (select convert_from(decode(hex, 'hex'), 'UTF8')"  # noqa: S608 - hex
                        f" as id from (values {ids}) as listed (hex)) as gone "
                        "where md5(message_id) = md5(gone.id) and message_id = gone.id"
                    )
        return moved

    def _write(self, write: "_Write", together: list[list[str]]) -> None:
        """Exchange parts, in halves if they are not taken, and leave out what is not taken alone.

        Args:
            write: What they are parts of.
            together: The parts by those between which rows move: these are exchanged at once.
        """
        parts = [start for unit in together for start in unit]
        if not parts:
            return
        try:
            self._exchange(write, parts)
        except duckdb.Error as error:
            self._database.do("select 1")  # that the server is gone is no fault of a part
            write.of.check()
            if len(together) > 1:
                half = len(together) // 2
                self._write(write, together[:half])
                self._write(write, together[half:])
                return
            write.known.parts |= dict.fromkeys(parts, LEFT_OUT)
            with self._database.transaction():
                note(self._database, write.of.table, write.known, parts)
            write.done.left_out += parts
            write.reasons.setdefault(self._database.said(error), []).extend(parts)

    def _exchange(self, write: "_Write", parts: list[str]) -> None:
        """Exchange parts of a table in one transaction, and note it there."""
        known, done = write.known, write.done
        portion = {
            start: write.found.changed[start] for start in parts if start in write.found.changed
        }
        noted = {start: part for start, part in known.parts.items() if start not in parts} | portion
        now = PostgresState(known.columns, known.files, noted, known.names)
        name = self._database.name(write.of.table)
        with self._database.transaction():
            for start in parts:
                if start in known.parts:
                    at = f"timestamp {literal(start)}"
                    self._database.do(
                        f"delete from {name} where {RECEIVED_AT} >= {at} "  # noqa: S608 - quoted
                        f"and {RECEIVED_AT} < {at} + interval '1 hour'"
                    )
            if portion:
                self._insert(write, portion)
            note(self._database, write.of.table, now, parts)
            write.of.check()
        known.parts = noted
        done.rows += sum(part.rows for part in portion.values())
        done.parts += len(portion)
        done.gone += len(parts) - len(portion)

    def _insert(self, write: "_Write", portion: dict[str, Part]) -> None:
        self._database.look_again()
        kinds, own, old = write.found.columns, write.columns.own, write.columns.old
        values = {
            own[column]: value_of_old_type(column, kinds[column], old[column])
            if column in old
            else value(column, kinds[column])
            for column in own
        }
        values[MORE] = more({one: kind for one, kind in kinds.items() if one not in own})
        self._database.con.execute(
            f"insert into {self._database.name_here(write.of.table)} "
            f"({', '.join(map(quoted, values))}) "
            f"select {', '.join(values.values())} "
            f"{rows_of(write.of.name, 'hour', portion)}"
        )


@dataclass(frozen=True)
class _Write:
    """A table that is being exported; what is noted of it and done grows meanwhile."""

    of: TableSnapshot
    found: Changes
    columns: Columns
    known: PostgresState
    done: Exported
    reasons: dict[str, list[str]] = field(default_factory=dict)
    """Why parts were left out, with these."""

    def problems(self) -> Iterator[str]:
        """Say which parts were left out, and why."""
        for why, parts in self.reasons.items():
            hours = ", ".join(start[:13] for start in sorted(parts)[:_NAMED])
            others = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
            yield (
                f"{why} Left out: what was received in the hours {hours}{others}. It is there as "
                "it was, without what is gone here. All else was exported, and the next export "
                "tries again."
            )
