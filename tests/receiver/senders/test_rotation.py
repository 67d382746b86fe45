"""A changed `sources.toml` is taken over by every worker, without a restart or a false 401."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from receiver.senders import live_sources
from tests.support.processes import eventually
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import basic
from tests.support.receiver.server import RunningReceiver

TAKEN_OVER = 2.0  # seconds after which a change has to hold


def sources(*keys: str, name: str = "web") -> str:
    return f'[[source]]\nname = "{name}"\nwrite_keys = {json.dumps(keys)}\n'


def replace(path: Path, text: str) -> None:
    """Change a file as most programs do: write another, and rename it."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


class Sender:
    """Sends with one key after the other, about a hundred times a second."""

    def __init__(self, running: RunningReceiver, *keys: str) -> None:
        """Start sending."""
        self.answers: dict[str, list[int]] = {key: [] for key in keys}
        self._running = running
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(2)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        while not self._stopped.wait(0.02):
            for key, answers in self.answers.items():
                answers.append(status_with(self._running, key))

    def stop(self) -> set[int]:
        """Stop sending; return what was answered."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        return {status for answers in self.answers.values() for status in answers}


def status_with(receiver: Landing, key: str) -> int:
    return receiver.post("/v1/track", "{}", headers=basic(key)).status_code


def have_read(running: RunningReceiver, name: str) -> int:
    """Return how many workers have read the file that names a source so."""
    return sum(line["sources"] == [name] for line in running.logged("sources_read"))


def test_keys_are_rotated_under_load_without_one_false_401(
    tmp_path: Path, start_receiver: Callable[..., RunningReceiver]
) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(sources("old"))
    running = start_receiver(workers=2)
    before = Sender(running, "old")
    replace(path, sources("old", "new", name="both"))
    assert eventually(lambda: have_read(running, "both") == 2)
    meanwhile = Sender(running, "old", "new")
    assert eventually(lambda: len(meanwhile.answers["new"]) > 10)
    answered = before.stop() | meanwhile.stop()
    later = Sender(running, "new")
    path.write_text(sources("new", name="only-new"))  # in place, as an editor may
    assert eventually(lambda: have_read(running, "only-new") == 2)
    after = [status_with(running, "old") for _ in range(10)]  # each worker gets some of them
    answered |= later.stop()

    assert answered == {httpx.codes.OK}
    assert set(after) == {httpx.codes.UNAUTHORIZED}


class Clock:
    """A clock that goes on only when it is told to, and a file that is written by it."""

    def __init__(self, path: Path, text: str) -> None:
        """Write the file, long ago."""
        self.path = path
        self.now = 1e9
        self.write(text)
        self.now += 3600

    def write(self, text: str) -> None:
        """Write the file now."""
        self.path.write_text(text)
        self.changed = self.now

    def state_of(self, path: Path) -> live_sources.FileState:
        """Return the file's state, with its time as by this clock."""
        state = self._real(path)
        return state._replace(changed=int(self.changed * 1e9)) if state.changed else state

    _real = staticmethod(live_sources.state_of)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that a receiver looks at, and its file, with one key in it: *old*."""
    clock = Clock(tmp_path / "sources.toml", sources("old"))
    time = SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now)
    monkeypatch.setattr(live_sources, "time", time)
    monkeypatch.setattr(live_sources, "state_of", clock.state_of)
    return clock


def test_what_cannot_be_used_changes_nothing_and_is_shown(
    clock: Clock, make_app: Callable[..., AppReceiver]
) -> None:
    receiver = make_app()
    good = {"success": True}
    shown = good | {"warning": "sources_not_read"}

    def ready_in_time() -> object:
        for _ in range(10):
            clock.now += TAKEN_OVER / 10
            assert status_with(receiver, "old") == httpx.codes.OK
        return receiver.get("/health/ready").json()

    assert ready_in_time() == good
    for broken in ("[[source", "", "[[source]]\nname = 'secret'\nwrite_key = 'x'"):
        clock.write(broken)
        assert ready_in_time() == shown, broken
        clock.write(sources("old"))
        assert ready_in_time() == good, broken
    clock.path.unlink()
    assert ready_in_time() == shown
    clock.write(sources("old"))
    assert ready_in_time() == good

    problems = [line["problem"] for line in receiver.logged("sources_not_read")]
    assert len(problems) == 4  # each once, however many requests came meanwhile
    assert all("SEAMLINE_SOURCES" in problem for problem in problems)


def test_a_file_that_is_being_written_is_not_read_half_way(
    clock: Clock, make_app: Callable[..., AppReceiver]
) -> None:
    receiver = make_app()
    first = '[[source]]\nname = "app"\nwrite_keys = ["other"]\n'  # valid, without the old key

    for _ in range(3):
        clock.write(first)
        for _ in range(3):
            clock.now += 0.15
            assert status_with(receiver, "old") == httpx.codes.OK
        clock.write(first + sources("old"))
        clock.now += 0.3
        assert status_with(receiver, "old") == httpx.codes.OK
    clock.now += TAKEN_OVER

    assert status_with(receiver, "other") == httpx.codes.OK
    assert status_with(receiver, "old") == httpx.codes.OK


def test_a_change_made_while_nobody_sends_holds_for_the_next_request(
    clock: Clock, make_app: Callable[..., AppReceiver]
) -> None:
    receiver = make_app()
    assert status_with(receiver, "old") == httpx.codes.OK

    clock.write(sources("new") + 'shared_secrets = ["secret"]\n')
    clock.now += TAKEN_OVER

    assert status_with(receiver, "old") == httpx.codes.UNAUTHORIZED
    webhook = receiver.post("/webhooks/web", "{}", headers=basic("new"))
    assert webhook.status_code == httpx.codes.UNAUTHORIZED  # it has to be signed from now on


def test_what_had_better_be_changed_is_said_at_the_start_and_with_each_change(
    tmp_path: Path, make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_sources, "_LOOK_EVERY", 0)
    monkeypatch.setattr(live_sources, "_SETTLED_AFTER", 0)
    path = tmp_path / "sources.toml"
    path.write_text(sources("0123456789abcdef"))
    path.chmod(0o600)
    receiver = make_app()
    status_with(receiver, "0123456789abcdef")
    assert len(receiver.logged("sources_warning")) == 1

    replace(path, sources("0123456789abcdef", "fedcba9876543210"))
    path.chmod(0o600)

    assert status_with(receiver, "fedcba9876543210") == 200
    said = [one["warning"] for one in receiver.logged("sources_warning")]
    assert len(said) == 2
    assert said[0] == said[1]
    assert "line 3: write_keys of source web" in said[0]
