"""Sources: who may send, from `sources.toml`."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

from receiver.errors import StartError
from receiver.senders.advice import advice_on
from receiver.senders.masking import Mask
from receiver.senders.scopes import PUBLIC, SCOPES, Endpoint, Kind, Scope

# A write key is the user part of Basic authentication: visible ASCII without a colon.
WriteKey = Annotated[str, Meta(pattern=r"^[!-9;-~]+$")]
SharedSecret = Annotated[str, Meta(min_length=1, pattern=r"\S")]
# Of more than a petabyte nobody is kept.
Quota = Annotated[int, Meta(ge=1, le=2**50)]
# The name is a part of the webhook's address.
SourceName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]

_KEYS = (Kind.BROWSER, Kind.SERVER, Kind.WEBHOOK, Kind.OLD)


class Source(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One sender: its name, what it proves itself with, and whether it may order an erasure."""

    name: SourceName
    browser_keys: tuple[WriteKey, ...] = ()
    server_keys: tuple[WriteKey, ...] = ()
    webhook_keys: tuple[WriteKey, ...] = ()
    shared_secrets: tuple[SharedSecret, ...] = ()
    may_delete: bool | None = None
    events_per_second: Quota | None = None
    bytes_per_day: Quota | None = None
    write_keys: tuple[WriteKey, ...] = ()

    def of_kind(self, kind: Kind) -> tuple[str, ...]:
        """Return the credentials of a kind."""
        found: tuple[str, ...] = getattr(self, kind)
        return found

    def __repr__(self) -> str:
        """Show the name alone: keys belong in no log."""
        return f"Source({self.name!r})"


class Credential(NamedTuple):
    """What a request proved itself with: whose it is, and of which kind."""

    source: Source
    kind: Kind

    @property
    def account(self) -> str:
        """Whose costs are counted together: a public key is never charged to the other kinds."""
        return f"{self.kind} of source {self.source.name}"

    @property
    def is_public(self) -> bool:
        """Whether it may stand in a page, where anybody finds it."""
        return self.kind in PUBLIC

    @property
    def scope(self) -> Scope:
        """What its kind may do."""
        return SCOPES[self.kind]

    @property
    def may_delete(self) -> bool:
        """Whether it may order an erasure."""
        return bool(self.source.may_delete) and self.scope.may_delete


class _SourcesFile(Struct, frozen=True, forbid_unknown_fields=True):
    source: tuple[Source, ...]


class Sources:
    """All senders, found by name or by write key.

    Attributes:
        warnings: what an operator should change in the file they come from.
        mask: hides all their keys and shared secrets in what is kept of a body.
    """

    def __init__(self, sources: Iterable[Source], warnings: Iterable[str] = ()) -> None:
        """Index the sources.

        Raises:
            ValueError: a name or a key stands twice, or a source's credentials do not fit together.
        """
        self.warnings = tuple(warnings)
        self._by_name: dict[str, Source] = {}
        self._by_digest: dict[bytes, Credential] = {}
        for source in sources:
            self._add(source)
        if not self._by_name:
            raise ValueError("it names no source")
        self._secrets = {text for one in self._by_name.values() for text in one.shared_secrets}
        self._refuse_keys_as_secrets()
        self.mask = Mask(one for source in self._by_name.values() for one in _all_of(source))

    def _add(self, source: Source) -> None:
        if source.name in self._by_name:
            raise ValueError(f"the name {source.name} stands twice")
        _refuse_misfits(source)
        self._by_name[source.name] = source
        for kind in _KEYS:
            for key in source.of_kind(kind):
                self._add_key(key, Credential(source, kind))

    def _add_key(self, key: str, credential: Credential) -> None:
        digest = _digest(key.encode())
        if other := self._by_digest.get(digest):
            raise ValueError(
                f"a key in {credential.kind} of {credential.source.name} stands twice "
                f"(also in {other.kind} of {other.source.name})"
            )
        self._by_digest[digest] = credential

    def _refuse_keys_as_secrets(self) -> None:
        for secret in self._secrets:
            found = self._by_digest.get(_digest(secret.encode()))
            if found and found.kind is not Kind.OLD:
                name = found.source.name
                raise ValueError(f"a key in {found.kind} of {name} is a shared secret as well")

    def names(self) -> list[str]:
        """Return the sources' names, in their order in the file."""
        return list(self._by_name)

    def with_public_keys(self) -> int:
        """Return how many sources have a key that may stand in a page."""
        return sum(any(map(source.of_kind, PUBLIC)) for source in self._by_name.values())

    def named(self, name: str) -> Source | None:
        """Return the source of that name, if there is one."""
        return self._by_name.get(name)

    def with_key(self, key: bytes, endpoint: Endpoint) -> Credential | None:
        """Return the credential that a key is, if it is one that may be used there.

        The search is by digest, so its time says nothing about the keys.
        """
        found = self._by_digest.get(_digest(key))
        return found if found and endpoint in found.scope.endpoints else None

    def is_credential(self, text: str) -> bool:
        """Say whether a text is a key or a shared secret of anybody."""
        return _digest(text.encode(errors="replace")) in self._by_digest or text in self._secrets


def _all_of(source: Source) -> Iterator[str]:
    for kind in Kind:
        yield from source.of_kind(kind)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _refuse_misfits(source: Source) -> None:
    """Refuse credentials that would contradict each other.

    Raises:
        ValueError: it has none, or such.
    """
    if not any(map(source.of_kind, Kind)):
        raise ValueError(
            f"source {source.name} has no credential: browser_keys, server_keys, webhook_keys "
            "or shared_secrets"
        )
    # Its name would vouch for what is signed, and stand beside what anybody may have sent.
    for kind in (Kind.BROWSER, Kind.SERVER):
        if source.shared_secrets and source.of_kind(kind):
            raise ValueError(
                f"source {source.name} has shared_secrets, so what comes for it is signed: {kind} "
                "belong to a source of their own"
            )
    if source.may_delete and not (source.webhook_keys or source.shared_secrets):
        raise ValueError(
            f"source {source.name} may_delete, which takes webhook_keys or shared_secrets: "
            "no other credential orders an erasure"
        )


def load_sources(path: Path) -> Sources:
    """Read `sources.toml`.

    Raises:
        StartError: the file is missing, cannot be read, or does not say who may send.
    """
    try:
        with path.open("rb") as file:
            text, mode = file.read(), os.fstat(file.fileno()).st_mode
        sources = msgspec.toml.decode(text, type=_SourcesFile).source
        return Sources(sources, advice_on(path, text, mode, sources))
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    except (ValueError, msgspec.DecodeError) as error:
        reason = str(error)
    raise StartError(f"{path}: {reason}. SEAMLINE_SOURCES names the file that says who may send.")


def write_sources(path: Path, sources: Iterable[Source], comment: str = "") -> None:
    """Write a new `sources.toml` that only its owner can read.

    Raises:
        FileExistsError: there is one already; it is left as it is.
    """
    blocks = [comment] if comment else []
    for source in sources:
        # A JSON value is a TOML value as well, if it is no object.
        lines = [
            f"{key} = {json.dumps(value)}" for key, value in msgspec.to_builtins(source).items()
        ]
        blocks.append("[[source]]\n" + "\n".join(lines) + "\n")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(blocks))
