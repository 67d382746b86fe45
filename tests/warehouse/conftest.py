"""An object store on loopback."""

from tests.support.object_store import object_store

__all__ = ["object_store"]
