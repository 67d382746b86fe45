"""The fields of erased events are kept once each, whoever and how many are erased."""

from pathlib import Path
from typing import Any

import pytest

from orchestration.erasure import erase, erased_fields
from orchestration.erasure.erase import forget
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id
from tests.support import landed
from tests.support.house import House
from tests.support.person import track

SUMS = "select call, event, path, type, sum(count)::bigint from raw.erased_field group by all"


def land(house: House, *users: str) -> None:
    landed.land(house.landing, "track", *(landed.line(track(user, price=1)) for user in users))
    load(house.settings)


def exported(house: House) -> Path:
    return house.landing / "suppressed" / "fields.ndjson"


def test_a_field_is_in_one_row_however_many_are_erased_and_the_file_is_left_alone_behind_that(
    empty: House,
) -> None:
    people = ["gone-1", "gone-2"]
    land(empty, *people, "stays")

    for number, user in enumerate(people, 1):
        forget(empty.settings, {Id(USER, user)}, suppress=False)

        sums = empty.rows(SUMS)
        assert ("track", "Seen", "properties.price", "bigint", number) in sums
        assert {count for *_, count in sums} == {number}
        assert empty.rows("select count(*) from raw.erased_field") == [(len(sums),)]
        assert len(exported(empty).read_text().splitlines()) == len(sums)

    before = exported(empty).stat().st_ino
    forget(empty.settings, {Id(USER, "nobody")}, suppress=False)
    assert exported(empty).stat().st_ino == before


def test_the_file_is_written_for_a_new_name_and_at_the_end(
    empty: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "PART_ROWS", 2)
    land(empty, *["gone"] * 6, "stays")
    lines: list[int] = []
    write = erased_fields.export_fields

    def watched(*arguments: Any) -> None:
        write(*arguments)
        lines.append(len(exported(empty).read_text().splitlines()))

    monkeypatch.setattr(erased_fields, "export_fields", watched)

    forget(empty.settings, {Id(USER, "gone")}, suppress=False)

    sums = empty.rows(SUMS)
    assert lines == [len(sums)] * 2
    assert {count for *_, count in sums} == {6}
