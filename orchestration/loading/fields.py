"""The fields that events were seen to have: path, type and when, in `raw.field`.

What a load brings is looked at while it is loaded, in the load's own transaction, so that every
received copy is counted exactly once. The table says what was seen and decides nothing: which
column a field becomes is placed later (orchestration/columns/).
"""

import duckdb
import pyarrow as pa

from orchestration.loading.field_budget import Budgets, Noted
from orchestration.loading.field_rows import add_fields, field_rows
from orchestration.loading.observed_fields import Part, Seen, observed_in


class FieldNotes:
    """What one transaction sees of fields, noted call by call and added at its end."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        """Begin with nothing."""
        self._con = con
        self._tables: list[pa.Table] = []

    def note(self, call: str) -> None:
        """Note the fields of the `usable_events` of one call."""
        self._tables.append(note_fields(self._con, call))

    def add(self) -> None:
        """Add all of them to `raw.field`."""
        add_fields(self._con, self._tables)


def note_fields(con: duckdb.DuckDBPyConnection, call: str, *, lists_new: bool = True) -> pa.Table:
    """Note the fields of the events of one call, in a load's open transaction.

    Each source has a budget of names, and none uses up another's; no event of one uses up what the
    others may have of it. Listed are those first seen, by
    load, file, line and path, however the loads are put together in transactions.

    Args:
        con: The warehouse, with the events registered as `usable_events`.
        call: Their call.
        lists_new: Whether what `raw.field` has not may be listed, as far as the budgets go.

    Returns:
        What `add_fields` takes.
    """
    observed = observed_in(con, is_named=call == "track")
    budgets = Budgets(con, call, observed, lists_new=lists_new)
    noted: Noted = {}
    decided: set[Part] = set()
    together: dict[Part, Seen] = {}
    for part, seen in observed:
        budget = budgets.of(part.source)
        part = part._replace(source=budget.source, event=budget.listed(part.event))  # noqa: PLW2901
        of_all = part._replace(event=None)
        # Where events without end have the same properties, the first has decided what is listed
        # of them, and they are gone through once more and not once each.
        if of_all in decided and not budget.lists_fields_of(part):
            together[of_all] = together[of_all].plus(seen) if of_all in together else seen
        else:
            is_decided = budget.note(part, seen, noted)
            if is_decided:
                decided.add(of_all)
    for part, seen in together.items():
        budgets.of(part.source).note(part, seen, noted)
    return field_rows(call, noted)
