"""Where the sums of the counted lines do not hold, and which messages that is about."""

from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from landed.folders import REJECTED
from orchestration.audit.landed_lines import NOT_THE_SAME, wrong_lines
from orchestration.loading.insert import UNKNOWN
from orchestration.loading.kept_files import read_kept
from orchestration.loading.landed_file import parse
from orchestration.settings import Settings

_NAMED = 20


@dataclass
class Problem:
    """A sum that does not hold, and the messages it is about."""

    call: str
    source: str
    hour: datetime
    text: str
    message_ids: list[str] = field(default_factory=list)
    """The first of them, as far as they can be named."""

    def __str__(self) -> str:
        """One line."""
        ids = f" ({', '.join(self.message_ids)})" if self.message_ids else ""
        return f"{self.call} of {self.source}, {self.hour:%Y-%m-%d %H}h: {self.text}{ids}"


def problems(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[Problem]:
    """Where the sums do not hold, and of which messages; nothing if they do."""
    sums = (
        (
            "received <> loaded + rejected + waiting",
            "{received} received, but {loaded} loaded + {rejected} rejected + {waiting} waiting",
            _not_loaded,
        ),
        (
            "loaded <> rows + duplicate",
            "{loaded} loaded, but {rows} rows + {duplicate} duplicates",
            _without_row,
        ),
    )
    found = []
    for is_wrong, text, messages in sums:
        wrong = con.execute(f"from raw.completeness where {is_wrong} order by all")
        for hour in wrong.to_arrow_table().to_pylist():
            place = (hour["call"], hour["source"], hour["hour"])
            ids = messages(con, settings, *place)
            found.append(Problem(*place, text.format(**hour), ids))
    return found


def _not_loaded(
    con: duckdb.DuckDBPyConnection, settings: Settings, call: str, source: str, hour: datetime
) -> list[str]:
    """Messages of an hour that the files have and raw lacks, or the other way round."""
    files = con.execute(
        """
        select distinct call || '/' || file from raw.landed_file
        where load_id in (
            select load_id from raw.landed_count where call = $1 and source = $2 and hour = $3
        ) and call in ($1, $4)
        """,
        [call, source, hour, REJECTED],
    ).fetchall()
    kept = read_kept(settings.landing, {name for (name,) in files})
    wrong = wrong_lines(con, [parse(file, data) for file, data in kept])
    return [
        one.message_id or f"line {one.line} of {one.file}"
        for one in wrong
        if one.problem != NOT_THE_SAME
    ][:_NAMED]


def _without_row(
    con: duckdb.DuckDBPyConnection, settings: Settings, call: str, source: str, hour: datetime
) -> list[str]:
    rows = con.execute(
        f"""
        select distinct message_id from raw."{call}"
        anti join "{settings.schema_name}"."{call}" using (message_id)
        where coalesce(source, '{UNKNOWN}') = $1 and received_at >= $2
            and received_at < $2 + interval 1 hour
        order by message_id limit {_NAMED}
        """,
        [source, hour],
    ).fetchall()
    return [message_id for (message_id,) in rows]
