"""A house that exports its `track` table to a PostgreSQL database."""

from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from orchestration.export.run import export_postgres
from orchestration.settings import Settings
from tests.export.support import Done, Exports
from tests.support.house import House
from tests.support.postgres import Server


class Database(Exports):
    """A house, and a database of its own to which it exports its `track` table."""

    def __init__(self, house: House, server: Server, name: str) -> None:
        """Make the database; export nothing yet."""
        self.house = house
        with psycopg.connect(server.uri, autocommit=True) as con:
            con.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))
            con.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        self.address = server.uri.replace("/lake", f"/{name}")
        self.settings = Settings(**house.settings.model_dump() | {"export_postgres": self.address})

    def export(self) -> Done:
        """Bring the table up to date; return what that did."""
        done = dict(export_postgres(self.settings, ["track"]))["track"]
        assert done.total == len(self.house.rows("from segment.track"))
        return Done(done.rows, done.parts, done.gone)

    def try_export(self) -> tuple[int, str]:
        """Run the command; return its status and what it says."""
        self.house.environment["SEAMLINE_EXPORT_POSTGRES"] = self.address
        return self.house.try_run("export", "--table", "track")

    def ask(self, query: str) -> list[dict[str, Any]]:
        """What the database answers."""
        with psycopg.connect(self.address, row_factory=dict_row) as con:
            return con.execute(query.encode()).fetchall()

    def exported(self) -> list[dict[str, Any]]:
        """Every row there, without what is null, with JSON as text."""
        kinds = {
            row["column_name"]: row["data_type"]
            for row in self.ask(
                "select column_name, data_type from information_schema.columns "
                "where table_name = 'track'"
            )
        }
        shown = ", ".join(
            f'"{name}"::text' if kind == "json" else f'"{name}"' for name, kind in kinds.items()
        )
        rows = self.ask(f"select {shown} from segment.track order by message_id")
        return [{name: value for name, value in row.items() if value is not None} for row in rows]

    def names(self) -> dict[str, str]:
        """The columns that have one of their own there, with its name."""
        ((names,),) = [
            row.values() for row in self.ask("select names from segment._seamline_table")
        ]
        return dict(names)
