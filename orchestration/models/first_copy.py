"""Which copy of a message is its row: the models' rule, for whoever else chooses among copies.

The rule is stated once, as `first_copy_order` in `vars` of dbt_project/dbt_project.yml: expressions
that copies are ordered by. The macros read it there (macros/first_copy.sql), and so does this; the
columns are those of the staging views, which have a row per copy.
"""

from functools import cache

from orchestration.models.project_vars import dbt_vars


@cache
def first_copy_order() -> tuple[str, ...]:
    """The expressions that say which copy came first, the weightiest first."""
    return tuple(dbt_vars()["first_copy_order"])


def place(relation: str) -> str:
    """SQL of a copy's place among all: the lowest of a message is its row.

    Args:
        relation: What the columns are taken of: a staging view, or a final table.
    """
    return f"row({', '.join(first_copy_order())})".replace("copy.", f"{relation}.")
