"""An object store in this process's memory: what rules do with objects, without a server."""

from collections.abc import Callable
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from landed import object_store

GOES_ON: Callable[[str], None] = lambda _path: None  # noqa: E731 - a value, and a default


class MemoryBucket:
    """A bucket, empty at first, and what is to happen when something is put.

    Attributes:
        name: the bucket's.
        before_put: given the path of each object that is put; raises what a store would.
        damage: so many of the next objects are kept with other bytes than were put.
        asked: what was asked: what for, path.
    """

    name = "memory"

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let every address lead here."""
        self._store = MemoryStore()
        self.before_put = GOES_ON
        self.damage = 0
        self.asked: list[tuple[str, str]] = []
        put = obstore.put

        def told(store: Any, path: str, file: Any, **more: Any) -> Any:
            self.asked.append(("put", path))
            self.before_put(path)
            if self.damage:
                self.damage -= 1
                file = bytes(byte ^ 1 for byte in file.read())
            return put(store, path, file, **more)

        monkeypatch.setattr(obstore, "put", told)
        monkeypatch.setattr(object_store, "open_bucket", lambda _bucket, _patience: self._store)
        self._put = put

    def put(self, key: str, data: bytes, **more: Any) -> None:
        """Write an object."""
        attributes = more.get("Metadata") or {}
        self._put(self._store, key, data, attributes=attributes, use_multipart=False)

    def get(self, key: str) -> bytes:
        """Read an object."""
        return bytes(obstore.get(self._store, key).bytes())

    def keys(self, prefix: str = "") -> list[str]:
        """The names of the objects below a prefix."""
        prefix = prefix.rstrip("/") or None
        pages = obstore.list(self._store, prefix=prefix)
        return sorted(one["path"] for page in pages for one in page)

    def delete(self, key: str) -> None:
        """Remove an object."""
        obstore.delete(self._store, key)
