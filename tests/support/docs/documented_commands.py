"""The commands that pages show, proven without running them.

A command line is split as the shell splits it. `make` says itself what a target would run, click
reads the options of each command, argparse's are looked for in the module. What is none of these is
one of the system's own programs, which are listed here: nothing is let through because it is not
known.
"""

import contextlib
import io
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import click

from landed.settings import ROOT
from tests.support.docs.pages import PAGES, YOURS, Block, Page

SHELL = ("sh", "")
"""The languages of blocks that may hold command lines; those without one may hold other text."""

_OURS = {"dagster", "dbt", "flask", "make", "python", "seamline", "sqlfluff"}
_SYSTEMS = {
    ".", "chgrp", "chmod", "df", "du", "eval", "export", "find", "grep", "head", "jq", "ls", "mv",
    "openssl", "printf", "rm", "sort", "tail", "tar", "true", "umask", "wc",
}  # fmt: skip
_BY_PATH = {"duckdb", "pre-commit", "pytest"}
"""Programs of the environment, named by their path in it, whose options are not ours to prove."""

_MEANT = {
    "DAY=…": "DAY=2026-11-22",
    "TABLE=…": "TABLE=track",
    "<command>": "status",
    "../seamline": ".",
}
"""What stands for something, where not any text will do."""

_VARIABLE = re.compile(r"[A-Z_]+=")
_MODELS = {path.stem for path in (ROOT / "dbt_project" / "models").rglob("*.sql")} | {
    Path(code).stem for page in PAGES for code in page.code if code.startswith(YOURS)
}


class WrongCommandError(Exception):
    """A page shows a command that does not work."""


class Shown(NamedTuple):
    """A command line, and whether a sentence only names it, and may leave out what it needs."""

    line: str
    is_named: bool


def commands_in(page: Page) -> Iterator[Shown]:
    """Every command line on a page: in blocks of the shell, and in backticks."""
    for block in page.blocks(*SHELL):
        yield from (Shown(line, is_named=False) for line in _lines(block))
    for code in page.code:
        words = code.split()
        if words[1:] not in ([], ["-m"]) and Path(words[0]).name in _OURS:
            yield Shown(code, is_named=True)


def _lines(block: Block) -> Iterator[str]:
    """The command lines of a block; a loop of the shell is left to those who run it."""
    text = re.sub(r"^for .*?^done$", "", block.text, flags=re.DOTALL | re.MULTILINE)
    prompted = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    for line in prompted or text.splitlines():
        if block.language == "sh" or prompted or _begins_with_a_program(line):
            yield line


def _begins_with_a_program(line: str) -> bool:
    words = [word for word in line.split() if not _VARIABLE.match(word)]
    return bool(words) and Path(words[0]).name in _OURS | _SYSTEMS | _BY_PATH


def prove(line: str, is_named: bool = False) -> None:
    """Raise what is wrong with a command line.

    Args:
        line: as a page shows it. `…` and `<name>` stand for something, `[--option]` may be left
            out, `#` begins a comment.
        is_named: whether arguments may be missing.

    Raises:
        WrongCommandError: it has no such program, target, variable, command, option or model.
    """
    for shown, meant in _MEANT.items():
        line = line.replace(shown, meant)
    line = re.sub(r"\[(--[^\]]*)\]", r"\1", line)
    line = re.sub(r"<[\w ]+>", "x", line)
    line = re.sub(r"\d?> ?/dev/null|[<>] ?\S+", " ", line)
    for part in re.split(r"\|\|?|&&|;", line) if '"' not in line else [line]:
        words = shlex.split(part, comments=True)
        while words and _VARIABLE.match(words[0]):
            words.pop(0)
        try:
            if words:
                _prove_words(words)
        except click.MissingParameter as error:
            if not is_named:
                raise WrongCommandError(error.format_message()) from error
        except click.ClickException as error:
            raise WrongCommandError(error.format_message()) from error


def _prove_words(words: list[str]) -> None:
    program, arguments = Path(words[0]).name, words[1:]
    if "/" in words[0] and not (ROOT / words[0]).exists():
        raise WrongCommandError(f"no {words[0]}")
    if program == "make":
        _prove_make(arguments)
    elif program == "python":
        _prove_module(arguments)
    elif program in _OURS:
        if program == "dbt":
            _prove_selection(arguments)
        _prove_click(_click_command(program), arguments)
    elif program not in _SYSTEMS and not ("/" in words[0] and program in _BY_PATH):
        raise WrongCommandError(f"no known program: {program}")


def _prove_make(arguments: list[str]) -> None:
    known = (ROOT / "Makefile").read_text()
    for name in (one.partition("=")[0] for one in arguments if _VARIABLE.match(one)):
        if not re.search(rf"\$\({name}\)|[ ,]{name}\)", known):
            raise WrongCommandError(f"the Makefile has no {name}")
    for line in _made(tuple(arguments)):
        if _begins_with_a_program(line):
            _prove_words(shlex.split(line))


@cache
def _made(arguments: tuple[str, ...]) -> list[str]:
    """What make would run for a target, but for the installation."""
    done = subprocess.run(
        ["make", "-n", "--no-print-directory", "--", *arguments],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WrongCommandError(done.stderr.strip())
    return [line for line in done.stdout.splitlines() if " -m pip " not in line]


def _prove_module(arguments: list[str]) -> None:
    if arguments[:1] != ["-m"]:
        raise WrongCommandError("Python is shown with -m alone")
    module, *rest = arguments[1:]
    try:
        found = find_spec(module)
        if found and found.submodule_search_locations:
            found = find_spec(f"{module}.__main__")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise WrongCommandError(f"no module {module}")
    if cli := _cli_of(module):
        _prove_click(cli, rest)
    elif not module.startswith("pytest"):
        text = Path(found.origin).read_text()
        for option in (one.partition("=")[0] for one in rest if one.startswith("-")):
            if f'"{option}"' not in text:
                raise WrongCommandError(f"{module} has no option {option}")


def _cli_of(module: str) -> click.Command | None:
    """The click command behind `python -m`, if it is a part that has one."""
    for name in ("commands", "command", "__main__"):
        if (ROOT / module / f"{name}.py").exists():
            cli = getattr(import_module(f"{module}.{name}"), "cli", None)
            if isinstance(cli, click.Command):
                return cli
    return None


@cache
def _click_command(program: str) -> click.Command:
    cli: click.Command
    if program == "dagster":
        cli = import_module("dagster._cli").create_dagster_cli()
    elif program in {"flask", "seamline"}:  # what their entry points call
        cli = import_module({"flask": "flask.cli", "seamline": "seamline.commands"}[program]).cli
    else:
        (found,) = entry_points(group="console_scripts", name=program)
        cli = found.load()
    return cli


def _prove_click(command: click.Command, arguments: list[str]) -> None:
    """Have click read the arguments, group after group, and call nothing."""
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            while isinstance(command, click.Group) and arguments:
                context = command.make_context("x", list(arguments))
                rest = [*context._protected_args, *context.args]  # noqa: SLF001 - click names no other way
                if not rest:
                    return
                _, found, arguments = command.resolve_command(context, rest)
                assert found is not None
                command = found
            if not isinstance(command, click.Group):
                command.make_context("x", list(arguments))
    except click.exceptions.Exit:  # --help
        return


def _prove_selection(arguments: list[str]) -> None:
    """Look models up by name: dbt itself takes any, and finds none."""
    if "--select" not in arguments:
        return
    for name in arguments[arguments.index("--select") + 1 :]:
        if name.startswith("-"):
            return
        if ":" not in name and name.strip("+@") not in _MODELS | {"x"}:
            raise WrongCommandError(f"no model {name}")
