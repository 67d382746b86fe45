"""The demo's verdict: right only if every event is in its table exactly once."""

from __future__ import annotations

from collections import Counter

import pytest

from demo.arrivals import Arrivals, arrived, judge

SENT = Counter([("track", "a"), ("page", "b"), ("track", "a")])


def arrivals(raw: dict[str, str], final: dict[str, str]) -> Arrivals:
    """Tables from words whose letters are message ids: `{"track": "aa"}` is two rows of `a`."""
    tables = (raw, final)
    return Arrivals(
        *(Counter((call, id_) for call, ids in one.items() for id_ in ids) for one in tables)
    )


NOTHING = arrivals({}, {})
ALL = arrivals({"track": "aa", "page": "b"}, {"track": "a", "page": "b"})


def test_everything_once_and_both_copies_in_raw_is_right() -> None:
    assert judge(SENT, ALL) == []


@pytest.mark.parametrize(
    ("raw", "final", "line"),
    [
        ("aa", "", "track: 1 not in the table, such as a"),
        ("aa", "aa", "track: 1 in the table more than once, such as a"),
        ("a", "a", "track: 1 not in raw as often as sent, such as a"),
        ("aa", "ab", "track: 1 in this table but sent by another call, such as b"),
    ],
)
def test_what_is_wrong_is_said(raw: str, final: str, line: str) -> None:
    now = arrivals({"track": raw, "page": "b"}, {"track": final, "page": "b"})
    assert judge(SENT, now) == [line]


def test_a_batch_the_client_sent_twice_on_its_own_is_right() -> None:
    now = arrivals({"track": "aaaa", "page": "bb"}, {"track": "a", "page": "b"})
    assert judge(SENT, now) == []


def test_rows_of_an_earlier_demo_with_the_same_seed_do_not_stand_for_this_one() -> None:
    only_earlier = arrivals({}, {"track": "a", "page": "b"})
    assert judge(SENT, only_earlier) == [
        "track: 1 not in raw as often as sent, such as a",
        "page: 1 not in raw as often as sent, such as b",
    ]


def test_the_way_they_have_come_is_counted() -> None:
    assert arrived(SENT, NOTHING) == (0, 0)
    assert arrived(SENT, arrivals({"track": "a"}, {})) == (1, 0)
    assert arrived(SENT, ALL) == (3, 2)
    assert arrived(SENT, arrivals({}, {"track": "a", "page": "b"})) == (0, 2)
