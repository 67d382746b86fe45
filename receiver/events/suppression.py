"""Suppression: people whose events are answered 200 and not stored, as landing/suppressed/ says.

The list holds keyed hashes of ids. Every worker looks for itself whether it has changed, a few
times a second at most and only when a request comes. Nothing is looked at where it is empty.
"""

import hmac
import os
import time
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
from msgspec import Raw

from landed.folders import SUPPRESSED, SUPPRESSED_KEY, SUPPRESSED_LIST
from landed.ids import IN_BYTES, KINDS, SHOWN_NUL, ids_among, text_of, written_ids
from receiver.errors import NotLandedError, StartError
from receiver.events.json_text import NOT_DECODABLE
from receiver.files.disk import FileState, read_own
from receiver.server.native_threads import NATIVELY_FROM, compute

_LOOK_EVERY = 0.25
_RETRY_AFTER = 5.0  # what cannot be read: its key may be mended alone
_MOST_IDS = 10_000  # that are looked for in one body

log = structlog.get_logger()


class _Entry(msgspec.Struct):
    kind: str
    hash: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    suppressed: bool
    ordered_by: str = "unknown"


_decode_entry = msgspec.json.Decoder(_Entry).decode


class SuppressedPeople:
    """Who is suppressed."""

    def __init__(
        self,
        key: bytes,
        people: Iterable[tuple[str, str]],
        by_notification: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Take them.

        Args:
            key: the key of the hashes.
            people: the kind of each id, and its hash.
            by_notification: those of whom a notification alone said it: they are told by what can
                be read.
        """
        self._read_alone = {bytes.fromhex(digest) for _, digest in by_notification}
        self._hashes: dict[str, set[bytes]] = {}
        for kind, digest in people:
            self._hashes.setdefault(kind, set()).add(bytes.fromhex(digest))
        # of each kind that is there: the hash as far as it is the same for all ids
        self._begun = {
            kind: hmac.new(key, kind.encode() + b"\0", "sha256") for kind in self._hashes
        }

    def __len__(self) -> int:
        """Say how many ids there are."""
        return sum(map(len, self._hashes.values()))

    def has_sent(self, members: Mapping[str, Raw]) -> bool:
        """Say whether an event is one of theirs.

        Args:
            members: its members as they are written.
        """
        return self._includes_one_of(ids_among(members).items())

    def is_in(self, body: bytes) -> bool:
        """Say whether bytes that cannot be used are theirs.

        Where they can be read as an event, its own ids say it. Else it is any id in them: they may
        be a batch, or broken.
        """
        if len(body) < NATIVELY_FROM:
            return self._is_in(body)
        return compute(partial(self._is_in, body))

    def _is_in(self, body: bytes) -> bool:
        try:
            own = set(written_ids(body).items())
        except NOT_DECODABLE:
            own = set()
        if own:
            return self._includes_one_of(own)
        found = islice(IN_BYTES.finditer(body), _MOST_IDS)
        written = {(one[1].decode(), one[2]) for one in found}
        return self._includes_one_of(written, but=self._read_alone)

    def _includes_one_of(
        self, written: Iterable[tuple[str, bytes]], but: Collection[bytes] = ()
    ) -> bool:
        return any(self._includes(KINDS[name], text_of(token), but) for name, token in written)

    def _includes(self, kinds: Iterable[str], text: str, but: Collection[bytes]) -> bool:
        # a person is written down by the id that the tables show; before, it was by the NUL
        texts = [text, text.replace("\0", SHOWN_NUL)] if "\0" in text else [text]
        for kind in kinds:
            if kind in self._begun:
                for one in texts:
                    hashed = self._begun[kind].copy()
                    hashed.update(one.encode("utf-8", "surrogatepass"))
                    digest = hashed.digest()
                    if digest in self._hashes[kind] and digest not in but:
                        return True
        return False


class LiveSuppression:
    """Who is suppressed now. The list is replaced as a whole, so it is never read half-way."""

    def __init__(self, landing: Path) -> None:
        """Look at a landing folder's list from now on."""
        self._folder = landing / SUPPRESSED
        self._list = self._folder / SUPPRESSED_LIST
        self._read: FileState | None = None
        self._people: SuppressedPeople | None = None
        self._has_list = False
        self._problem: Exception | None = None
        self._look_again = 0.0

    def refuse_unreadable(self) -> None:
        """Return if there is no list, or it can be read.

        Raises:
            StartError: it cannot, and its people would be stored again.
        """
        try:
            if _state_of(self._list):
                self._load([])
        except (OSError, ValueError) as error:
            raise StartError(
                f"{self._folder} cannot be used ({error}), and those whom it suppresses would be "
                f"stored again. chown -R {os.geteuid()} {self._folder} gives it to the user that "
                "the receiver runs as; what is damaged or gone, put back from a backup."
            ) from error

    def current(self) -> SuppressedPeople | None:
        """Return who is suppressed; None if nobody is.

        Raises:
            NotLandedError: there is a list, and none could be read yet.
        """
        now = time.monotonic()
        if now >= self._look_again:
            self._look_again = now + (_LOOK_EVERY if self._look() else _RETRY_AFTER)
        if self._problem and not self._has_list:
            raise NotLandedError("suppressed_not_read")
        return self._people

    def _look(self) -> bool:
        """Read the list if it has changed; say whether that was possible."""
        problem: list[object] = []
        try:
            state = _state_of(self._list)
            if state == self._read and not self._problem:
                return True
            people = self._load(problem) if state else None
        except (OSError, ValueError) as error:
            self._keep(error)
            return False
        self._people, self._read, self._problem = people, state, None
        self._has_list = bool(state)
        if problem:
            log.error("suppressed_not_read", problem=str(problem[0]), damaged=len(problem))
        else:
            log.info("suppressed_read", people=len(people or ()))
        return True

    def _keep(self, problem: Exception) -> None:
        """Leave those suppressed who were, and say why, once."""
        if str(problem) != str(self._problem):
            log.error("suppressed_not_read", problem=str(problem), damaged=1)
        self._problem, self._read = problem, None

    def _load(self, problem: list[object]) -> SuppressedPeople | None:
        """Read the list; a line of it that is damaged is a problem, and the others hold.

        Raises:
            OSError, ValueError: nothing of it can be read, or not the key.
        """
        people = set()
        by_command = set()
        is_whole = False
        for line in read_own(self._list).splitlines():
            try:
                entry = _decode_entry(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                problem.append(error)
            else:
                is_whole = True
                if entry.suppressed:
                    people.add((entry.kind, entry.hash))
                    if entry.ordered_by != "notification":
                        by_command.add((entry.kind, entry.hash))
        if not people:
            if problem and not is_whole:
                raise ValueError(f"no line of {self._list} can be read: {problem[0]}")
            return None
        key = bytes.fromhex(read_own(self._folder / SUPPRESSED_KEY).decode())
        return SuppressedPeople(key, people, people - by_command)


def _state_of(path: Path) -> FileState | None:
    """Return the state of a file, or None where there is none; what leads nowhere is one.

    Raises:
        OSError: that cannot be told.
    """
    try:
        return FileState.of(path.lstat())
    except FileNotFoundError:
        return None
