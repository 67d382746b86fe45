"""What holds of an object store whichever it is: here one in this process's memory."""

import errno
import hashlib
import io
import os

import pytest
from obstore.exceptions import GenericError
from obstore.store import MemoryStore

from landed import object_store
from landed.object_store import DamagedObjectError, Kept, Store, TakenError, in_one_line, parts_of

DATA = b"some lines\n"
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["s3://bucket/a/b", "gs://bucket"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """One that refuses what has another checksum, and one that is read back."""
    memory = MemoryStore()
    monkeypatch.setattr(object_store, "open_bucket", lambda *_: memory)
    return Store(request.param)


def test_what_was_put_is_known_by_its_checksum(store: Store) -> None:
    store.put_new("waiting/track/x.ndjson", io.BytesIO(DATA))

    assert store.look("waiting/track/x.ndjson") == Kept(len(DATA), SHA256)
    assert store.read("waiting/track/x.ndjson") == DATA
    assert [one.key for one in store.list("waiting")] == ["waiting/track/x.ndjson"]


def test_the_same_once_more_is_as_good_and_other_contents_are_not_put(store: Store) -> None:
    store.put_new("x", DATA)
    store.put_new("x", DATA)

    with pytest.raises(TakenError, match="other contents"):
        store.put_new("x", b"others")
    assert store.read("x") == DATA


def test_what_was_taken_out_of_since_is_not_other_contents(store: Store) -> None:
    store.put("x", b"\n", was=SHA256)
    store.put_new("x", DATA)

    assert store.read("x") == b"\n"


def test_what_is_not_what_was_put_is_never_taken_for_it(store: Store) -> None:
    store.put("x", DATA)
    kept = store._store  # noqa: SLF001 - somebody else writes to it
    path = store._path("x")  # noqa: SLF001
    kept.put(path, b"damaged", attributes={"sha256": SHA256})
    with pytest.raises(DamagedObjectError, match="is not what was put"):
        store.read("x")
    kept.put(path, DATA)
    with pytest.raises(DamagedObjectError, match="has no checksum of ours"):
        store.read("x")


@pytest.mark.parametrize("large", [False, True])
def test_what_fails_here_while_it_is_read_is_not_said_of_the_store(
    store: Store, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    if large:
        monkeypatch.setattr(object_store, "LARGE", 1)
    store.put("x", DATA)

    def fail(_piece: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left") as failed:
        store.get("x", fail)
    assert failed.value.errno == errno.ENOSPC


def test_what_is_not_there_is_no_problem(store: Store) -> None:
    assert store.look("x") is None
    assert list(store.list("x")) == []
    store.delete([])
    with pytest.raises(FileNotFoundError):
        store.read("x")


def test_a_folder_is_no_other_that_begins_like_it(store: Store) -> None:
    for key in ("load/x", "loaded/x", "loads/x"):
        store.put_new(key, DATA)

    assert [one.key for one in store.list("load")] == ["load/x"]


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("s3://bucket", ("s3://bucket", "")),
        ("s3://bucket/a/b/", ("s3://bucket", "a/b")),
        ("az://container/some prefix", ("az://container", "some prefix")),
        ("s3://key:secret@bucket/a", None),
        ("https://bucket/a", None),
        ("s3:///a", None),
        ("bucket", None),
    ],
)
def test_an_address_has_a_bucket_and_a_path(address: str, parts: tuple[str, str] | None) -> None:
    if parts is None:
        with pytest.raises(ValueError, match="no address of an object store"):
            parts_of(address)
    else:
        assert parts_of(address) == parts


def test_what_a_store_says_is_a_line_without_what_is_signed_and_without_times() -> None:
    said = (
        "Generic MicrosoftAzure error: Error performing PUT https://a.example/c/x?sv=1&sig=secret"
        " in 12.5ms, after 2 retries - Server returned non-2xx status code: 503: <?xml version\n"
        "<Error>\n\nDebug source:\nsecret"
    )

    assert in_one_line(GenericError(said)) == (
        "Generic MicrosoftAzure error: Error performing PUT https://a.example/c/x, after 2 retries "
        "- Server returned non-2xx status code: 503"
    )
