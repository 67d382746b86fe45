"""The receiver's application in this process, for questions of HTTP that need no server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver import create_app
from receiver.settings import Settings
from receiver.sources import Sources
from receiver.state import receiver_of
from tests.support.in_process import InProcess
from tests.support.receiver import SOURCES


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[InProcess]:
    """An application of a test's own, which believes a proxy on this machine."""
    settings = Settings(
        _env_file=None,
        landing=tmp_path / "landing",
        sources=tmp_path / "sources.toml",
        reserve_bytes=0,
        trusted_proxies="127.0.0.1",  # type: ignore[arg-type]
    )
    app = create_app(settings, Sources(SOURCES))
    yield InProcess(app, tmp_path / "landing")
    receiver_of(app).committer.close()
