"""An object store on loopback."""

import os
from collections.abc import Iterator

import pytest

from tests.support.object_store import Bucket, ObjectStore


@pytest.fixture(scope="module")
def object_store() -> Iterator[ObjectStore]:
    """A store that a file's tests share."""
    running = ObjectStore()
    yield running
    running.stop()


@pytest.fixture
def bucket(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket of a test's own, and the environment that leads to it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": object_store.url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return Bucket(object_store.url)
