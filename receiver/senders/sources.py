"""Sources: who may send, from `sources.toml`."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from receiver.errors import StartError

# A write key is the user part of Basic authentication: visible ASCII without a colon.
WriteKey = Annotated[str, Meta(pattern=r"^[!-9;-~]+$")]
SharedSecret = Annotated[str, Meta(min_length=1, pattern=r"\S")]
# The name is a part of the webhook's address.
SourceName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """One sender: its name, and what it proves itself with."""

    name: SourceName
    write_keys: tuple[WriteKey, ...] = ()
    shared_secrets: tuple[SharedSecret, ...] = ()

    def __repr__(self) -> str:
        """Show the name alone: keys belong in no log."""
        return f"Source({self.name!r})"


class _SourcesFile(Struct, frozen=True, forbid_unknown_fields=True):
    source: tuple[Source, ...]


class Sources:
    """All senders, found by name or by write key."""

    def __init__(self, sources: Iterable[Source]) -> None:
        """Index the sources.

        Raises:
            ValueError: a name or a write key stands twice, or a source has no credential.
        """
        self._by_name: dict[str, Source] = {}
        self._by_digest: dict[bytes, Source] = {}
        for source in sources:
            self._add(source)
        if not self._by_name:
            raise ValueError("it names no source")

    def _add(self, source: Source) -> None:
        if source.name in self._by_name:
            raise ValueError(f"the name {source.name} stands twice")
        if not source.write_keys and not source.shared_secrets:
            raise ValueError(f"source {source.name} has neither write_keys nor shared_secrets")
        self._by_name[source.name] = source
        for key in source.write_keys:
            digest = hashlib.sha256(key.encode()).digest()
            if digest in self._by_digest:
                other = self._by_digest[digest].name
                raise ValueError(f"a write key of {source.name} stands twice (also in {other})")
            self._by_digest[digest] = source

    def names(self) -> list[str]:
        """Return the sources' names, in their order in the file."""
        return list(self._by_name)

    def named(self, name: str) -> Source | None:
        """Return the source of that name, if there is one."""
        return self._by_name.get(name)

    def with_write_key(self, key: bytes) -> Source | None:
        """Return the source that owns a write key, if there is one.

        The search is by digest, so its time says nothing about the keys.
        """
        return self._by_digest.get(hashlib.sha256(key).digest())

    def is_credential(self, text: str) -> bool:
        """Say whether a text is a write key or a shared secret of anybody."""
        secrets = (one for source in self._by_name.values() for one in source.shared_secrets)
        return self.with_write_key(text.encode(errors="replace")) is not None or text in secrets


def load_sources(path: Path) -> Sources:
    """Read `sources.toml`.

    Raises:
        StartError: the file is missing, cannot be read, or does not say who may send.
    """
    try:
        return Sources(msgspec.toml.decode(path.read_bytes(), type=_SourcesFile).source)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    except (ValueError, msgspec.DecodeError) as error:
        reason = str(error)
    raise StartError(f"{path}: {reason}. SEAMLINE_SOURCES names the file that says who may send.")


def write_sources(path: Path, sources: Iterable[Source]) -> None:
    """Write a new `sources.toml` that only its owner can read.

    Raises:
        FileExistsError: there is one already; it is left as it is.
    """
    blocks = []
    for source in sources:
        # A JSON string is a TOML string as well.
        lines = [f"name = {json.dumps(source.name)}"]
        lines.append(f"write_keys = {json.dumps(source.write_keys)}")
        lines.append(f"shared_secrets = {json.dumps(source.shared_secrets)}")
        blocks.append("[[source]]\n" + "\n".join(lines) + "\n")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(blocks))
