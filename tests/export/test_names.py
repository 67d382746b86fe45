"""Which columns have one of their own in PostgreSQL, and what they are called."""

from hypothesis import given
from hypothesis import strategies as st

from orchestration.export.names import FOUND, LONGEST_NAME, MORE, is_documented, own_columns

LONG = "a_field_with_a_name_that_goes_on_and_on_for_more_than_sixty_three_bytes"
SHORT = next(iter(own_columns("track", [LONG], [], {}, [], 9).values()))
"""What the long one is called there, which somebody may send as a name."""

names = st.sampled_from([LONG, f"{LONG}s", SHORT, "ctid", "ctid_a6768917", "mine", "Mine", MORE])
columns = st.lists(names | st.text("aé_", min_size=1, max_size=70), unique=True, max_size=9)


@given(st.lists(columns, max_size=5), st.integers(0, 20))
def test_whoever_comes_when_no_two_are_one_and_none_is_called_another(
    arrivals: list[list[str]], room: int
) -> None:
    known: list[str] = []
    own: dict[str, str] = {}
    there = {"message_id", "MINE", MORE}
    for arrival in arrivals:
        known_before, before = list(known), dict(own)
        known += [column for column in arrival if column not in known]

        own = own_columns("track", known, known_before, before, there, room)

        assert before.items() <= own.items()
        room -= len(own) - len(before)
        assert room >= 0
        called = [name.lower() for name in own.values()]
        assert len(set(called)) == len(called)
        assert not {"message_id", "mine", MORE, "ctid"} & set(called)
        assert all(len(name.encode()) <= LONGEST_NAME for name in own.values())
        there |= set(own.values())


def test_documented_columns_have_one_of_their_own_and_the_first_of_the_others() -> None:
    found = [f"properties__p{number}" for number in range(FOUND + 50)]
    first = own_columns("track", [*found, "user_id", "_seamline_file"], [], {}, [], 1_600)

    assert set(first) == {*found[:FOUND], "user_id", "_seamline_file"}
    assert is_documented("track", "context__user_agent")
    assert not is_documented("track", "properties__p1")
    assert not is_documented("track", "_sdc_x_")
    assert not is_documented("track", "_seamline_x_")

    # the place of one that is gone is for one that comes, not for one that has been exported
    later = [*found[1:], "new"]
    second = own_columns("track", later, found, first, [], 1_600)
    assert "new" in second
    assert found[FOUND] not in second
