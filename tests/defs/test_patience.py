"""How long a run stays: a rule on a clock that the test turns."""

from orchestration.defs.staying import Patience


class Clock:
    """Stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        """What it shows."""
        return self.now


def test_it_is_over_when_nothing_has_come_for_the_quiet_time() -> None:
    clock = Clock()
    patience = Patience(60, clock=clock)

    clock.now += 59.9
    assert not patience.is_over()
    clock.now += 0.1
    assert patience.is_over()


def test_each_pass_begins_the_quiet_time_anew() -> None:
    clock = Clock()
    patience = Patience(60, clock=clock)
    for _ in range(5):
        clock.now += 50
        patience.has_come()
        assert not patience.is_over()

    clock.now += 60
    assert patience.is_over()


def test_it_is_over_after_the_longest_time_though_news_keeps_coming() -> None:
    clock = Clock()
    patience = Patience(60, longest_seconds=120, clock=clock)
    for _ in range(4):
        assert not patience.is_over()
        clock.now += 30
        patience.has_come()

    assert patience.is_over()
