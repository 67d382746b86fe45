"""Which of dbt's models are the project's own: they decide whether a command did what it is for.

All others are a user's, or of a package that a user has installed: one that fails is named.
"""

from collections.abc import Sequence

PROJECT = "seamline"
"""The dbt project's name, which is its package's."""

FOLDERS = ("staging", "segment", "warehouse")
"""Those of our models, in `dbt_project/models`; what lies elsewhere is a user's."""


def is_own(fqn: Sequence[str]) -> bool:
    """Whether a model is one of ours, by dbt's name for it: package, folders, model."""
    package, *folders, _model = fqn
    return package == PROJECT and bool(folders) and folders[0] in FOLDERS
