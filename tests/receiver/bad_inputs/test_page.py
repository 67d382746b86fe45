"""docs/bad-inputs.md is what the tests test, and the tests leave no number out."""

from tests.support.receiver.bad_input_page import PAGE, page, rows


def test_the_page_is_made_of_the_tests() -> None:
    assert PAGE.read_text() == page(), "run tests.support.receiver.bad_input_page"


def test_no_number_is_left_out() -> None:
    # later ones are given out in tens
    assert {number for number, _, _ in rows()} >= {f"B{number:02d}" for number in range(1, 100)}


def test_no_two_rows_promise_different_answers_for_the_same_input() -> None:
    inputs = [(number, what) for number, what, _ in rows()]

    assert len(inputs) == len(set(inputs))
