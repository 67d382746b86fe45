"""sources.toml: who may send, or one line that says what is wrong with it."""

from pathlib import Path

import pytest

from receiver.errors import StartError
from receiver.senders.scopes import Endpoint, Kind
from receiver.senders.sources import load_sources, write_sources
from tests.support.receiver.senders import SOURCES


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    write_sources(path, SOURCES)

    sources = load_sources(path)

    assert [sources.named(source.name) for source in SOURCES] == list(SOURCES)
    assert sources.with_key(b"web-key-two", Endpoint.TRACKING) == (SOURCES[0], Kind.OLD)
    assert sources.with_key(b"new secret", Endpoint.WEBHOOKS) is None
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    path.write_text("mine")

    with pytest.raises(FileExistsError):
        write_sources(path, SOURCES)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "source"),
        ("source = []", "no source"),
        ("[[source]]", "name"),
        ("[[source]]\nname = 'a'", "has no credential"),
        ("[[source]]\nname = ''\nwrite_keys = ['k']", "source[0].name"),
        ("[[source]]\nname = 'a/b'\nwrite_keys = ['k']", "source[0].name"),
        ("[[source]]\nname = 'a'\nwrite_keys = ['']", "write_keys[0]"),
        ("[[source]]\nname = 'a'\nwrite_keys = ['a:b']", "write_keys[0]"),
        ("[[source]]\nname = 'a'\nwrite_keys = 'k'", "write_keys"),
        ("[[source]]\nname = 'a'\nshared_secrets = ['']", "shared_secrets[0]"),
        ("[[source]]\nname = 'a'\nshared_secrets = [' ']", "shared_secrets[0]"),
        ("[[source]]\nname = 'a'\nwrite_key = 'k'", "write_key"),
        ("[[source]]\nname = 'a'\nwrite_keys = ['k', 'k']", "stands twice"),
        (
            "[[source]]\nname='a'\nwrite_keys=['k']\n[[source]]\nname='b'\nwrite_keys=['k']",
            "stands twice (also in write_keys of a)",
        ),
        (
            "[[source]]\nname='a'\nwrite_keys=['k']\n[[source]]\nname='a'\nwrite_keys=['l']",
            "the name a stands twice",
        ),
        ("[[source", "Expected"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(text)

    with pytest.raises(StartError) as error:
        load_sources(path)

    assert reason in str(error.value)
    assert "SEAMLINE_SOURCES" in str(error.value)


def test_no_secret_is_shown() -> None:
    assert "secret" not in repr(SOURCES[2])
