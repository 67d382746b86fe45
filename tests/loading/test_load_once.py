"""Loading twice changes nothing."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from orchestration.loading import insert, journal, landed_file
from orchestration.loading import load as load_module
from orchestration.loading.landed_file import waiting_folders
from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from tests.support import landed

pytestmark = pytest.mark.usefixtures("made_warehouse")


def _rows(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    with connect(settings, read_only=True) as con:
        return con.execute(sql).fetchall()


def _event(number: int) -> dict[str, object]:
    return {"messageId": f"m{number}", "type": "track", "event": "Song Played"}


def test_a_sealed_file_becomes_rows_and_moves_to_loaded(settings: Settings) -> None:
    path = landed.land(settings.landing, "track", *(landed.line(_event(n)) for n in range(3)))

    loaded = load(settings)

    assert loaded.rows["track"] == 3
    assert not path.exists()
    assert (settings.landing / "loaded" / "track" / path.name).exists()
    assert _rows(settings, "select message_id, source, load_id, file, line from raw.track") == [
        (f"m{n}", "web", 1, path.name, n + 1) for n in range(3)
    ]


def test_the_payload_is_kept_to_the_letter(settings: Settings) -> None:
    payload = (
        '{"messageId": "m", "b":0.1000000000000000055511151231257827,'
        ' "a":12345678901234567890123, "e":1e2, "zero":"\\u0000", "é":"\\ud83d\\ude00"}'
    )
    landed.land(settings.landing, "track", landed.line(payload))

    load(settings)

    assert _rows(settings, "select payload::varchar from raw.track") == [(payload,)]


def test_a_message_id_that_looks_like_our_envelope_is_only_a_message_id(
    settings: Settings,
) -> None:
    message_id = '","payload":{"x":1},"'
    landed.land(settings.landing, "track", landed.line({"a": 1}, message_id=message_id))

    load(settings)

    assert _rows(settings, "select message_id, payload->>'a' from raw.track") == [(message_id, "1")]


def test_all_raw_tables_exist_after_a_pass_that_found_nothing(settings: Settings) -> None:
    load(settings)

    found = _rows(settings, "select table_name from duckdb_tables() where schema_name = 'raw'")
    assert {name for (name,) in found} == {
        *("group", "identify", "page", "screen", "track", "alias", "delete"),
        *("rejected", "landed_file", "landed_count", "load", "not_stored", "completeness", "field"),
        *("restored", "erasure", "erased_field", "repair", "failing_model"),
    }


def test_the_ledger_has_one_row_per_file_with_its_counts_and_checksum(settings: Settings) -> None:
    path = landed.land(settings.landing, "page", landed.line(_event(1)), b"not a line\n")
    size = path.stat().st_size

    load(settings)

    columns = "file, call, bytes, rows, rejected, load_id, length(sha256)"
    assert _rows(settings, f"select {columns} from raw.landed_file") == [
        (path.name, "page", size, 1, 1, 1, 64)
    ]


def test_a_file_that_comes_again_is_only_moved(settings: Settings) -> None:
    """As after a death between the commit and the move."""
    line = landed.line(_event(1))
    path = landed.land(settings.landing, "track", line)
    load(settings)
    landed.land(settings.landing, "track", line, name=path.name)

    loaded = load(settings)

    assert (loaded.files, loaded.conflicts) == (0, [])
    assert not path.exists()
    assert _rows(settings, "select count(*) from raw.track") == [(1,)]


def test_a_known_name_with_other_contents_is_put_aside_and_not_loaded(settings: Settings) -> None:
    path = landed.land(settings.landing, "track", landed.line(_event(1)))
    load(settings)
    landed.land(settings.landing, "track", landed.line(_event(2)), name=path.name)

    loaded = load(settings)

    assert loaded.conflicts == [path.name]
    assert path.with_suffix(".ndjson.conflict").exists()
    assert _rows(settings, "select message_id from raw.track") == [("m1",)]


def test_a_backlog_is_loaded_in_transactions_of_a_bounded_size(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        landed.land(settings.landing, "track", landed.line(_event(number)))
    size = len(landed.line(_event(0)))
    monkeypatch.setenv("SEAMLINE_LOAD_BYTES", str(2 * size))

    loaded = load(Settings())

    assert loaded.load_ids == [1, 2, 3]
    assert _rows(settings, "select load_id, count(*) from raw.track group by all order by all") == [
        (1, 2),
        (2, 2),
        (3, 2),
    ]


def test_a_table_that_events_never_stop_coming_to_keeps_no_other_waiting(
    settings: Settings,
) -> None:
    """A pass takes what waited as it began, whatever comes meanwhile, and so has an end."""
    one_by_one = settings.model_copy(update={"load_bytes": 1})

    def flood(*_: object) -> None:
        landed.land(settings.landing, "alias", landed.line({}, message_id="late"))

    for call in ("page", "track", "alias"):
        landed.land(settings.landing, call, landed.line({}, message_id=call))

    loaded = load(one_by_one, progress=flood)

    assert loaded.rows == {"page": 1, "track": 1, "alias": 1}
    assert waiting_folders(settings.landing) == ["alias"]


def test_whether_a_folder_has_news_is_seen_without_looking_at_all_that_wait(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for call in ("page", "track"):
        for number in range(50):
            landed.land(settings.landing, call, landed.line(_event(number)))
    looked_at = []
    really = os.scandir

    @contextmanager
    def counting(folder: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
        with really(folder) as entries:
            yield (looked_at.append(entry.name) or entry for entry in entries)

    monkeypatch.setattr(landed_file.os, "scandir", counting)

    assert waiting_folders(settings.landing) == ["page", "track"]
    assert len(looked_at) == 2


@pytest.mark.any_one
@pytest.mark.parametrize(
    ("module", "step"),
    [
        (insert, "_insert_rejects"),
        (insert, "_insert_ledger"),
        (journal, "catch_up"),
        (load_module, "move_to_loaded"),
    ],
)
def test_a_load_that_fails_half_way_leaves_each_file_loaded_or_waiting(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    landed.land(settings.landing, "track", landed.line(_event(1)), b"damaged\n")
    monkeypatch.setattr(module, step, _fails)
    with pytest.raises(OSError, match="no space"):
        load(settings)
    monkeypatch.undo()

    load(settings)

    assert _rows(settings, "select count(*) from raw.track") == [(1,)]
    assert _rows(settings, "select count(*) from raw.rejected") == [(1,)]
    assert _rows(settings, "select count(*) from raw.landed_file") == [(1,)]


def _fails(*_: object) -> Callable[..., None]:
    raise OSError("no space left on device")
