"""The commands, and which part has each: a part is imported once one of its commands is called."""

from importlib import import_module
from typing import NamedTuple

import click


class Command(NamedTuple):
    """Where a command is, and what it does, in a line."""

    part: str
    """The package whose `cli` has it, or is it, if it is no group."""
    help: str


SECTIONS = {
    "Begin": {
        "demo": Command("demo", "Start everything, send made-up events, see them arrive."),
        "run": Command("stack", "Start receiver and Dagster, and keep them up."),
        "status": Command("orchestration", "What came in, what waits, and what is wrong."),
        "sql": Command("orchestration", "A SQL prompt on the warehouse, for reading."),
    },
    "Bring events in": {
        "receive": Command("receiver", "Start the receiver alone."),
        "ship": Command("receiver", "Ship what has landed here to an object store."),
        "fetch": Command(
            "orchestration", "Fetch what waits in an object store; keep a copy there."
        ),
        "import": Command("receiver", "Land events from files, folders and buckets."),
        "load": Command("orchestration", "Load what waits, run the models, and exit."),
    },
    "Prove and repair": {
        "delivery": Command("orchestration", "What became of a day's events, by source and name."),
        "trace": Command("orchestration", "Say where an event is, from the file to the row."),
        "verify": Command("orchestration", "Prove the warehouse against the files."),
        "replay": Command("orchestration", "Derive rows again: a day, a table, rejects."),
        "rebuild": Command("orchestration", "Make the warehouse again from the files."),
    },
    "Take events out": {
        "export": Command("orchestration", "Bring exported tables up to date."),
    },
    "Keep": {
        "upkeep": Command("orchestration", "Keep warehouse and Dagster's storage small."),
        "forget": Command("orchestration", "Erase a person, and store no more of them."),
        "unsuppress": Command("orchestration", "Store the events of a person again."),
        "columns": Command("orchestration", "List fields and their columns; drop columns."),
        "rename": Command("orchestration", "Move the tables to another schema."),
        "prepare": Command("orchestration", "Make what Dagster needs, as far as missing."),
    },
}
"""What a newcomer needs first comes first."""

COMMANDS = {name: command for section in SECTIONS.values() for name, command in section.items()}


class Parts(click.Group):
    """The commands of all parts."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Return their names in the order of the help, for the completion too."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Import the part that has a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"{COMMANDS[cmd_name].part}.__main__").cli
        return (
            command.commands.get(cmd_name, command) if isinstance(command, click.Group) else command
        )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write a line for each, and import none."""
        width = max(map(len, COMMANDS))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                rows = [(name.ljust(width), command.help) for name, command in commands.items()]
                formatter.write_dl(rows)


@click.command(cls=Parts, epilog="Settings: docs/settings.md. Each command has --help.")
def cli() -> None:
    """Segment's calls in tables you own."""
