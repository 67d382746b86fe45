"""Ids that are nearly the same: by case, blanks, forms of a number; and ids known by an e-mail.

An erasure takes exactly the ids it is told, and so does suppression. What is nearly one of them is
counted, and goes only if that is asked for: then as an exact id of its own, which the receiver and
the loader know like any other.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import duckdb

from landed.folders import CALLS
from landed.ids import KINDS, folded, visible
from orchestration.errors import ErasureStoppedError
from orchestration.loading import suppressed
from orchestration.loading.people import USER, Id, Person, hash_of, near_hash_of

CASE = "other case"
BLANKS = "other blanks or invisible characters"
NUMBER = "another form of the number"
MIXED = "several of these"
EMAIL = "the e-mail address of another id"


class EmailOfSeveralError(ErasureStoppedError):
    """An e-mail address is not of one user alone; the text says what to do."""


def with_near(con: duckdb.DuckDBPyConnection, ids: Iterable[Id]) -> set[Id]:
    """Ids, and all in the warehouse that are nearly one of them."""
    wanted = set(ids)
    alike = {(one.kind, folded(one.text)) for one in wanted}
    return wanted | {one for one, _ in _ids_there(con) if (one.kind, folded(one.text)) in alike}


def of_email(con: duckdb.DuckDBPyConnection, email: str) -> set[Id]:
    """The ids whose one e-mail address this is, as `identify` and `context.traits` say.

    Anybody may send an address with anybody's id. So an id that has another address too is not
    taken, and none is if several user ids have it.

    Raises:
        EmailOfSeveralError: several have, or only ids that have another too, or none.
    """
    addresses: dict[Id, set[str]] = defaultdict(set)
    for one, address, _ in _emails_there(con):
        addresses[one].add(folded(address))
    wanted = folded(email)
    having = {one for one, of_id in addresses.items() if wanted in of_id}
    alone = {one for one in having if addresses[one] == {wanted}}
    users = sum(one.kind == USER for one in having)
    if users > 1 or not alone:
        raise EmailOfSeveralError(
            f"{users} user ids have that e-mail address, and {len(having - alone)} of the ids with "
            "it have another one too. Nothing was erased: look which of them are the person's, and "
            "name them by USER_ID= and ANONYMOUS_ID= (docs/runbooks/erasure.md)."
        )
    return alone


def count_near(con: duckdb.DuckDBPyConnection, ids: Iterable[Id]) -> Counter[str]:
    """In what way ids in the warehouse are nearly some others → how many events have them."""
    alike = defaultdict(set)
    for one in ids:
        alike[one.kind, folded(one.text)].add(one.text)
    found: Counter[str] = Counter()
    for one, events in _ids_there(con):
        same = alike.get((one.kind, folded(one.text)), set())
        if same and one.text not in same:
            found[_way(one.text, same)] += events
    texts = {text for _, text in alike}
    if any("@" in text for text in texts):
        for one, address, events in _emails_there(con):
            if folded(address) in texts and (one.kind, folded(one.text)) not in alike:
                found[EMAIL] += events
    return found


def count_near_suppressed(con: duckdb.DuckDBPyConnection, landing: Path, since: datetime) -> int:
    """How many events received since then have an id that is nearly one of somebody suppressed."""
    entries = suppressed.entries(landing, suppressed_alone=True)
    near = {(entry.kind, entry.near) for entry in entries if entry.near}
    if not near:
        return 0
    key = suppressed.key_of(landing)
    people = {entry.person for entry in entries}
    return sum(
        events
        for one, events in _ids_there(con, since)
        if (one.kind, near_hash_of(key, one)) in near
        and Person(one.kind, hash_of(key, one)) not in people
    )


def _way(text: str, same: set[str]) -> str:
    if text.casefold() in {one.casefold() for one in same}:
        return CASE
    if visible(text) in {visible(one) for one in same}:
        return BLANKS
    if visible(text).casefold() in {visible(one).casefold() for one in same}:
        return MIXED
    return NUMBER


def _ids_there(
    con: duckdb.DuckDBPyConnection, since: datetime | None = None
) -> Iterator[tuple[Id, int]]:
    """Each id in the raw tables, and how many events have it in that field."""
    kinds = [(field, kind) for field, kinds in KINDS.items() for kind in kinds]
    for call in CALLS:  # each once
        rows = con.execute(
            f"""
            select kind, payload ->> ('$.' || field) as text, count(*)
            from raw."{call}", (select unnest($1) as field, unnest($2) as kind)
            where text is not null and ($3 is null or received_at >= $3) group by all
            """,
            [[field for field, _ in kinds], [kind for _, kind in kinds], since],
        )
        for kind, text, events in iter(rows.fetchone, None):
            yield Id(kind, text), events


def _emails_there(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[Id, str, int]]:
    """Each id in the raw tables with each e-mail address it came with, and in how many events."""
    for call in CALLS:
        address = "payload ->> '$.context.traits.email'"
        if call == "identify":
            address = f"coalesce(payload ->> '$.traits.email', {address})"
        for field in ("userId", "anonymousId"):
            rows = con.execute(
                f"select payload ->> '$.{field}' as text, {address} as address, count(*) "
                f'from raw."{call}" where text is not null and address is not null group by all'
            )
            for text, found, events in iter(rows.fetchone, None):
                yield Id(KINDS[field][0], text), found, events
