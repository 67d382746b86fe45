"""Advice: what of `sources.toml` works and had better be changed, said without any credential."""

import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from receiver.senders.scopes import Kind

if TYPE_CHECKING:
    from receiver.senders.sources import Source

_SHORT = 16
_FEW = 6
"""So many characters and distinct ones a random text of any alphabet in use has."""

_HEADER = re.compile(r"\s*\[\[\s*source\s*\]\]")
_LIST = re.compile(rf"\s*[\"']?{Kind.OLD}[\"']?\s*=")
_OTHERS_OR_WRITABLE = stat.S_IRWXO | stat.S_IWGRP

log = structlog.get_logger()


def is_weak(credential: str) -> bool:
    """Say whether a credential is so short, or of so few characters, that it may be guessed."""
    return len(credential) < _SHORT or len(set(credential)) < _FEW


def advice_on(path: Path, text: bytes, mode: int, sources: Sequence["Source"]) -> Iterator[str]:
    """Yield a sentence for each thing to change.

    Args:
        path: the file.
        text: its bytes.
        mode: its mode.
        sources: what was read from it.
    """
    if mode & _OTHERS_OR_WRITABLE:
        yield (
            f"{path} has mode {stat.S_IMODE(mode):04o}: others than its owner can read or change "
            f"it; chmod 600 {path}"
        )
    lines = _lines_of_old_keys(text.decode())
    for number, source in enumerate(sources):
        at = f"{path}, line {lines[number]}" if number in lines else str(path)
        yield from _of_old_keys(at, source)
        if source.may_delete is None and (source.shared_secrets or source.webhook_keys):
            yield (
                f"{path}: source {source.name} does not say may_delete: Segment's delete "
                "notifications for it go to rejected/ (delete_not_allowed) and erase nobody; "
                "set it to true if they shall, else to false"
            )
        for kind in Kind:
            weak = [n for n, one in enumerate(source.of_kind(kind), 1) if is_weak(one)]
            if weak:
                yield (
                    f"{path}: number {', '.join(map(str, weak))} in {kind} of source "
                    f"{source.name} can be guessed: shorter than {_SHORT} characters, or fewer "
                    f"than {_FEW} different ones; take the output of: openssl rand -hex 16"
                )


def _of_old_keys(at: str, source: "Source") -> Iterator[str]:
    if source.write_keys:
        yield (
            f"{at}: write_keys of source {source.name} may still send anything anywhere, but "
            "order no erasure; call them browser_keys, server_keys or webhook_keys, for what "
            "they are for"
        )
    if source.write_keys and source.shared_secrets:
        yield (
            f"{at}: source {source.name} has shared_secrets, and its write_keys send to /v1 "
            "without a signature; give those that do a source of their own, and call the others "
            "webhook_keys"
        )
    if set(source.write_keys) & set(source.shared_secrets):
        yield f"{at}: one of write_keys of source {source.name} is a shared secret as well"


def _lines_of_old_keys(text: str) -> dict[int, int]:
    """Return the lines with `write_keys`, from 1, by the number of their table, from 0."""
    found: dict[int, int] = {}
    table = -1
    for number, line in enumerate(text.splitlines(), 1):
        table += bool(_HEADER.match(line))
        if _LIST.match(line):
            found.setdefault(table, number)
    return found


def log_advice(warnings: Sequence[str]) -> None:
    """Say each in a line of the log."""
    for warning in warnings:
        log.warning("sources_warning", warning=warning)
