"""The receiver's counts come into the warehouse whatever else lies in their folder, and once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from landed import not_stored
from landed.folders import NOT_STORED
from orchestration.audit import completeness, not_stored_counts
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.warehouse import rows


@pytest.fixture
def house(made_warehouse: Settings) -> Settings:
    """Empty raw tables, and a source that was turned away today and a week ago."""
    made_warehouse.landing.mkdir()
    for days, number in ((0, 7), (7, 4)):
        moment = datetime.now(UTC) - timedelta(days=days)
        not_stored.add(made_warehouse.landing, moment, {"web": {"throttled": number}})
    return made_warehouse


def count(settings: Settings) -> None:
    with writer_lock(settings), connect(settings) as con:
        completeness.count(con, settings)


def numbers(settings: Settings) -> list[int]:
    return [number for (number,) in rows(settings, "select number from raw.not_stored order by 1")]


def test_what_is_called_like_a_file_of_counts_and_cannot_be_read_stops_nothing(
    house: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    folder = house.landing / NOT_STORED / "2026-11-01.json"
    folder.mkdir()

    count(house)

    assert numbers(house) == [4, 7]
    assert str(folder) in caplog.text


@pytest.mark.parametrize(
    "counts",
    [
        '{"10": {"web": {"throttled": 99999999999999999999}}}',
        '{"10": {"web": {"throttled": 9223372036854775807}}}',
        '{"10": {"web": {"throttled": -1}}}',
        '{"10": {"web": {"throttled": 1.5}}}',
        '{"10:00+00": {"web": {"throttled": 1}}}',
        '{"10:00:00": {"web": {"throttled": 1}}}',
        '{"24": {"web": {"throttled": 1}}}',
        '{"\u0661\u0660": {"web": {"throttled": 1}}}',
        f'{{"10": {{"{"w" * 256}": {{"throttled": 1}}}}}}',
        f'{{"10": {{"web": {{"{"t" * 256}": 1}}}}}}',
        '{"10": {"web": 7}}',
        "[]",
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_what_another_machine_has_written_and_is_no_count_stops_nobody(
    house: Settings, counts: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    of_another = house.landing / NOT_STORED / "web-2" / f"{datetime.now(UTC):%Y-%m-%d}.json"
    of_another.parent.mkdir()
    of_another.write_bytes(counts.encode() if isinstance(counts, str) else counts)

    count(house)

    assert numbers(house) == [4, 7]
    assert str(of_another) in caplog.text
    now = datetime.now(UTC)
    assert not_stored.read(house.landing, now.replace(hour=0), 24) == {"web": {"throttled": 7}}


def test_what_was_rolled_back_is_added_by_the_next_count(
    house: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    add: Callable[..., None] = not_stored_counts.add

    def add_and_die(*arguments: object) -> None:
        add(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(not_stored_counts, "add", add_and_die)
        with pytest.raises(KeyboardInterrupt):
            count(house)
    assert numbers(house) == []

    count(house)

    assert numbers(house) == [4, 7]
