"""What dbt calls at the start of each command: it looks for modules whose names begin with `dbt_`.

Not in the profile, so that no profile can leave it away:
docs/decisions/0024-a-writers-lock-lasts-as-long-as-its-command.md.
"""

from dbt.plugins.manager import dbtPlugin

from orchestration.models import command


class Plugin(dbtPlugin):
    """Let a command be the writer, or a reader."""

    def initialize(self) -> None:
        """Begin the command."""
        command.begin(self.project_name)


plugins = [Plugin]
