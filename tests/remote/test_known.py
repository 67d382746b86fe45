"""What is known of objects outlives whoever noted it, and is not needed."""

import threading
from pathlib import Path

import pytest

from orchestration.remote.known import FileState, KnownObjects, looked_at

STATE = FileState(1, 2, 3)


@pytest.fixture
def known(tmp_path: Path) -> KnownObjects:
    """None of any object."""
    return KnownObjects(tmp_path)


def test_what_was_noted_is_known_to_others(known: KnownObjects, tmp_path: Path) -> None:
    known.add([("waiting/track/a", "sha", STATE), ("waiting2/x", "sha", STATE)])
    known.settle(["waiting/track/a"])

    others = KnownObjects(tmp_path).below("waiting")
    assert list(others) == ["waiting/track/a"]
    assert (others["waiting/track/a"].state, others["waiting/track/a"].is_settled) == (STATE, True)


def test_what_comes_again_is_settled_no_more(known: KnownObjects) -> None:
    known.add([("a", "sha", STATE)])
    known.settle(["a"])
    known.add([("a", "other", STATE)])

    found = known.get("a")
    assert found is not None
    assert (found.sha256, found.is_settled) == ("other", False)


def test_what_was_settled_long_ago_is_forgotten(known: KnownObjects) -> None:
    known.add([("a", "sha", STATE), ("b", "sha", STATE)])
    known.settle(["a"])
    known.forget_settled(1e12)

    assert known.get("a") is None
    assert known.get("b") is not None


def test_a_problem_is_said_until_the_store_has_answered(
    known: KnownObjects, tmp_path: Path
) -> None:
    assert looked_at(tmp_path / "elsewhere") is None
    assert known.looked() is None
    known.note_problem("it fails")
    known.note_problem("it fails again")
    looked = looked_at(tmp_path)
    assert looked is not None
    assert (looked.waiting, looked.problem) == (0, "it fails again")

    known.note_look(3, 5.0)
    looked = looked_at(tmp_path)
    assert looked is not None
    assert (looked.waiting, looked.oldest, looked.problem) == (3, 5.0, None)


def test_threads_note_one_after_the_other(known: KnownObjects) -> None:
    failed: list[Exception] = []

    def note(number: int) -> None:
        try:
            for one in range(20):
                known.add([(f"x/{number}-{one}", "sha", STATE)])
        except Exception as error:  # noqa: BLE001 - of a thread, whatever it is
            failed.append(error)

    threads = [threading.Thread(target=note, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert len(known.below("x")) == 80
