"""An object store that speaks S3, started on loopback."""

import subprocess
import sys
import time
import uuid

import httpx
import pytest

from tests.support.processes import free_port

KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
START_SECONDS = 60


class Bucket:
    """A bucket, empty at first."""

    def __init__(self, store: str) -> None:
        """Create it in the store at that address."""
        import boto3  # noqa: PLC0415 - half a second, and only for those who have a bucket

        self.name = f"archive-{uuid.uuid4().hex}"
        self._client = boto3.client("s3", endpoint_url=store, **KEYS)
        self._client.create_bucket(Bucket=self.name)

    def put(self, key: str, data: bytes, **more: str) -> None:
        """Write an object."""
        self._client.put_object(Bucket=self.name, Key=key, Body=data, **more)


class ObjectStore:
    """A store, in a process of its own."""

    def __init__(self) -> None:
        """Start it, and wait until it answers."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{self.url}/moto-api/", timeout=5)
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return
        self.stop()
        pytest.fail("the object store did not start")

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
