"""Which copy of a message is its row: the models' rule, for whoever else chooses among copies.

The rule is stated once, as `first_copy_order` in `vars` of dbt_project/dbt_project.yml: expressions
that copies are ordered by. The macros read it there (macros/first_copy.sql), and so does this; the
columns are those of the staging views, which have a row per copy.
"""

import re
from collections.abc import Collection
from functools import cache

from orchestration.models.project_vars import dbt_vars


@cache
def first_copy_order() -> tuple[str, ...]:
    """The expressions that say which copy came first, the weightiest first."""
    return tuple(dbt_vars()["first_copy_order"])


def place(relation: str, columns: Collection[str]) -> str:
    """SQL of a copy's place among all: the lowest of a message is its row.

    Args:
        relation: What the columns are taken of: a staging view, or a final table.
        columns: Those that it has; one that came with a later version than it is null.
    """
    return f"row({', '.join(_of(relation, columns, one) for one in first_copy_order())})"


def _of(relation: str, columns: Collection[str], expression: str) -> str:
    return re.sub(
        r"\bcopy\.(\w+)",
        lambda one: f"{relation}.{one[1]}" if one[1] in columns else "null",
        expression,
    )
