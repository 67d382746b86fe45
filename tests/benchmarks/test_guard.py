from benchmarks.compare.guard import Aim, worse


def test_what_is_worse_by_more_than_a_share_is_told() -> None:
    before = {"load beside SQL": 1.0, "faster than dlt": 20.0, "bytes beside JSON": 0.2}
    now = {"load beside SQL": 1.3, "faster than dlt": 10.0, "bytes beside JSON": 0.21}
    told = sorted(worse(now, before, 0.25))
    assert told == [
        "faster than dlt: 10.00, and 20.00 in the last report",
        "load beside SQL: 1.30, and 1.00 in the last report",
    ]


def test_what_is_better_or_new_is_not() -> None:
    before = {"load beside SQL": 1.0, "faster than dlt": 20.0}
    now = {"load beside SQL": 0.5, "faster than dlt": 40.0, "bytes beside JSON": 9.0}
    assert list(worse(now, before, 0.25)) == []


def test_an_aim_is_reached_from_the_right_side() -> None:
    assert Aim("faster than dlt", 20).is_reached({"faster than dlt": 21})
    assert not Aim("faster than dlt", 20).is_reached({"faster than dlt": 19})
    assert Aim("bytes beside JSON", 0.25).is_reached({"bytes beside JSON": 0.2})
    assert not Aim("bytes beside JSON", 0.25).is_reached({"bytes beside JSON": 0.3})
