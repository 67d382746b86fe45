"""sources.toml: who may send. Written with keys of its own where there is none."""

from __future__ import annotations

import secrets
import tomllib
from typing import TYPE_CHECKING

from receiver.senders.sources import Source, write_sources
from stack.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path


def write_if_missing(path: Path) -> bool:
    """Write sources.toml with one source and random keys, for its owner's eyes only.

    Args:
        path: Where it is, or is to be.

    Returns:
        Whether it was written.

    Raises:
        StackError: It cannot be written.
    """
    source = Source(
        name="default",
        write_keys=(secrets.token_hex(16),),
        shared_secrets=(secrets.token_hex(32),),
    )
    if path.exists():
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sources(path, [source])
    except OSError as error:
        raise StackError(
            f"{path} cannot be written ({error.strerror}): set SEAMLINE_SOURCES to another file."
        ) from None
    return True


def first_write_key(path: Path) -> str:
    """Read a write key to send with.

    Args:
        path: sources.toml.

    Returns:
        The first write key of the first source that has one.

    Raises:
        StackError: There is none, or the file cannot be read.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise StackError(f"{path} cannot be read (SEAMLINE_SOURCES): {error}") from None
    for source in document.get("source", []):
        for key in source.get("write_keys", []):
            return str(key)
    raise StackError(f"{path} has no source with a write key, which the demo sends with: add one.")
