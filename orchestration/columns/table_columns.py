"""The columns of one table while fields are placed: whose they are, and for whom there is room."""

from collections import Counter
from dataclasses import dataclass, field

from orchestration.columns.names import SUFFIXES, names_of_numbers
from orchestration.columns.placement import NUMBERS, Bringer, Fact
from orchestration.columns.rules import MOST_COLUMNS, ColumnRules
from orchestration.loading.field_paths import Keys

WITH_EVENTS = "track"
"""The call whose columns are counted event by event."""


@dataclass
class TableColumns:
    """The columns of a table so far, and those it has room for."""

    own_columns: int
    """Those it has from the first day, which are counted off what each source may bring."""
    rules: ColumnRules
    has_events: bool
    """Whether what a source brings is counted event by event."""
    types: dict[str, str] = field(default_factory=dict)
    bringers: dict[str, Bringer] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """Column of whole numbers → that for those which it cannot hold once it is double."""
    owners: dict[str, Keys] = field(default_factory=dict)
    """Whose a column is, by its name."""
    brought: Counter[str | None] = field(default_factory=Counter)
    brought_with: Counter[Bringer] = field(default_factory=Counter)

    def has_or_takes(self, name: str, kind: str, fact: Fact) -> bool:
        """Whether the table has such a column of a field, or takes one more from who sends it."""
        if name not in self.types:
            bringer = Bringer(fact.source, fact.event)
            if not self.has_room(bringer):
                return False
            self.types[name] = kind
            self.bringers[name] = bringer
            self.owners[name] = fact.keys
            self.brought[fact.source] += 1
            self.brought_with[bringer] += 1
        return True

    def has_room(self, bringer: Bringer) -> bool:
        """Whether it takes one more column of a source and event."""
        most = self.rules.columns_of(bringer.source, self.own_columns)
        left = most - self.brought[bringer.source]
        if left <= 0 or len(self.types) + self.own_columns >= MOST_COLUMNS:
            return False
        return not self.has_events or (
            self.brought_with[bringer] < self.rules.columns_of_event(*bringer, left)
        )

    def beside(self, name: str, kind: str) -> str:
        """The sibling of a column for values of a type; all numbers have one."""
        if kind in NUMBERS:
            for sibling in names_of_numbers(name)[1:]:
                if sibling in self.types:
                    return sibling
        return f"{name}__{SUFFIXES[kind]}"

    def widen(self, column: str, fact: Fact) -> bool:
        """Make a column of whole numbers double, if there is room for what it cannot hold then."""
        text = self.texts.get(column)
        if text and not self.has_or_takes(text, "varchar", fact):
            return False
        self.types[column] = "double"
        return True
