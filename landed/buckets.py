"""Buckets of object stores: by what address, with what patience, and what they say in a line."""

import os
import re
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from obstore.store import ObjectStore, from_url

from landed.settings import STORES

_QUERY_OR_TIME = re.compile(r"\?\S*| in [\d.]+(?:ns|µs|ms|s)\b")


class Patience(NamedTuple):
    """How long the client waits for the store; whoever asks tries again later, for ever."""

    seconds: float
    """The longest that one request may take."""
    retries: int
    """How often it is tried again at once, as the store is busy."""
    retry_seconds: float
    """For how long."""


PATIENT = Patience(120, 2, 10)


def parts_of(address: str) -> tuple[str, str]:
    """The bucket of an address, `s3://bucket`, and what is behind it.

    Raises:
        ValueError: it is no address of an object store.
    """
    parts = urlsplit(address)
    if parts.scheme not in STORES or not parts.netloc or "@" in parts.netloc:
        raise ValueError("is no address of an object store: s3://, gs:// or az://, then its bucket")
    bucket = f"{parts.scheme}://{parts.netloc}"
    return bucket, address.removeprefix(bucket).strip("/")


def open_bucket(bucket: str, patience: Patience) -> ObjectStore:
    """Open a bucket to write to, with the keys and the address of the environment.

    Nothing is asked yet.
    """
    retries = {
        "max_retries": patience.retries,
        "retry_timeout": timedelta(seconds=patience.retry_seconds),
    }
    # what is said here is no more read from the environment
    allowed = [os.environ.get(f"{name}_ALLOW_HTTP", "") for name in ("AWS", "AZURE")]
    has_http = any(value.lower() in {"true", "1"} for value in allowed)
    client = {
        "timeout": timedelta(seconds=patience.seconds),
        "connect_timeout": timedelta(seconds=min(5, patience.seconds)),
        "allow_http": has_http,
    }
    options: dict[str, Any] = {"retry_config": retries, "client_options": client}
    if bucket.startswith("s3:"):  # it refuses a body that has another checksum
        options["checksum_algorithm"] = "SHA256"
    opened: ObjectStore = from_url(bucket, **options)
    return opened


def in_one_line(error: Exception) -> str:
    """What a store says, without its page of XML and where in its code it says so."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = str(error).partition("\n")[0].partition(": <")[0]
    return _QUERY_OR_TIME.sub("", said).strip().rstrip(":")
