"""A changed `sources.toml` is taken over by every worker, without a restart or a false 401."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.support.receiver import RunningReceiver, basic, eventually

TAKEN_OVER = 2.0  # seconds after which a change has to hold in every worker


def sources(*keys: str) -> str:
    return f'[[source]]\nname = "web"\nwrite_keys = {json.dumps(keys)}\n'


def replace(path: Path, text: str) -> None:
    """Change a file as most programs do: write another, and rename it."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


class Sender:
    """Sends with one key after the other, about a hundred times a second."""

    def __init__(self, running: RunningReceiver, *keys: str) -> None:
        """Start sending with the keys that hold now."""
        self.keys = keys
        self.answers: dict[str, list[int]] = {}
        self._running = running
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(2)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        number = 0
        while not self._stopped.wait(0.02):
            number += 1
            key = self.keys[number % len(self.keys)]
            answer = self._running.post("/v1/track", "{}", headers=basic(key))
            self.answers.setdefault(key, []).append(answer.status_code)

    def stop(self) -> None:
        """Stop sending."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()


def status_with(running: RunningReceiver, key: str) -> int:
    return running.post("/v1/track", "{}", headers=basic(key)).status_code


def test_keys_are_rotated_under_load_without_one_false_401(
    tmp_path: Path, start_receiver: Callable[..., RunningReceiver]
) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(sources("old"))
    running = start_receiver(workers=2)
    sender = Sender(running, "old")

    replace(path, sources("old", "new"))
    time.sleep(TAKEN_OVER)
    sender.keys = ("old", "new")
    time.sleep(1)
    sender.keys = ("new",)
    time.sleep(0.5)
    path.write_text(sources("new"))  # in place, as an editor may
    time.sleep(TAKEN_OVER)
    after = [status_with(running, "old") for _ in range(20)]  # each worker gets some of them
    sender.stop()

    assert set(sender.answers["old"]) == {httpx.codes.OK}
    assert set(sender.answers["new"]) == {httpx.codes.OK}
    assert len(sender.answers["new"]) > 10
    assert set(after) == {httpx.codes.UNAUTHORIZED}


def test_what_cannot_be_used_changes_nothing_and_is_shown(
    tmp_path: Path, start_receiver: Callable[..., RunningReceiver]
) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(sources("old"))
    running = start_receiver(workers=1)
    sender = Sender(running, "old")
    good = {"success": True}
    shown = good | {"warning": "sources_not_read"}

    def ready() -> object:
        return running.get("/health/ready").json()

    assert ready() == good
    for broken in ("[[source", "", "[[source]]\nname = 'secret'\nwrite_key = 'x'"):
        path.write_text(broken)
        assert eventually(lambda: ready() == shown), broken
        path.write_text(sources("old"))
        assert eventually(lambda: ready() == good), broken
    path.unlink()
    assert eventually(lambda: ready() == shown)
    path.write_text(sources("old"))
    assert eventually(lambda: ready() == good)
    sender.stop()

    assert set(sender.answers["old"]) == {httpx.codes.OK}
    problems = [
        line["problem"]
        for line in map(json.loads, running.log.read_text().splitlines())
        if line["event"] == "sources_not_read"
    ]
    assert len(problems) == 4  # each once, however many requests came meanwhile
    assert all("SEAMLINE_SOURCES" in problem for problem in problems)


def test_a_file_that_is_being_written_is_not_read_half_way(
    tmp_path: Path, start_receiver: Callable[..., RunningReceiver]
) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(sources("old"))
    running = start_receiver(workers=1)
    sender = Sender(running, "old")
    first = '[[source]]\nname = "app"\nwrite_keys = ["other"]\n'  # valid, without the old key

    for _ in range(3):
        with path.open("w") as file:
            file.write(first)
            file.flush()
            time.sleep(0.3)
            file.write(sources("old"))
        time.sleep(0.3)
    time.sleep(TAKEN_OVER)
    assert status_with(running, "other") == httpx.codes.OK
    sender.stop()

    assert set(sender.answers["old"]) == {httpx.codes.OK}


def test_a_change_made_while_nobody_sends_holds_for_the_next_request(
    tmp_path: Path, start_receiver: Callable[..., RunningReceiver]
) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(sources("old", "new"))
    running = start_receiver(workers=1)
    assert status_with(running, "old") == httpx.codes.OK

    replace(path, sources("new") + 'shared_secrets = ["secret"]\n')
    time.sleep(TAKEN_OVER)

    assert status_with(running, "old") == httpx.codes.UNAUTHORIZED
    webhook = running.post("/webhooks/web", "{}", headers=basic("new"))
    assert webhook.status_code == httpx.codes.UNAUTHORIZED  # it has to be signed from now on
