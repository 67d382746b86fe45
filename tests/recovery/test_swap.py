"""The new catalog takes the old one's place."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestration import rebuild as rebuild_module
from orchestration.loading import waiting
from orchestration.loading.warehouse import create_warehouse
from orchestration.reload import _without_write_key
from orchestration.settings import Settings


def test_a_connect_at_any_point_of_the_swap_finds_a_catalog(
    made_warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = rebuild_module._beside(made_warehouse)  # noqa: SLF001
    create_warehouse(beside)
    seen = []
    rename = Path.rename

    def look() -> None:
        with closing(sqlite3.connect(f"file:{made_warehouse.catalog}?mode=ro", uri=True)) as old:
            seen.append(old.execute("select count(*) from ducklake_table").fetchone())

    def looked_at(path: Path, target: Path) -> Any:
        look()
        done = rename(path, target)
        look()
        return done

    monkeypatch.setattr(Path, "rename", looked_at)
    rebuild_module._take_its_place(made_warehouse, beside)  # noqa: SLF001

    assert len(seen) >= 2
    assert all(tables and tables[0] > 0 for tables in seen)
    assert len(list(made_warehouse.catalog.parent.glob("catalog.sqlite.before-*Z"))) == 1


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b'{ "a" : 1.0 , "writeKey":"k", "b": [1, {"writeKey": 2}] }',
         b'{ "a" : 1.0, "b": [1, {"writeKey": 2}] }'),
        (b'{"writeKey":"k"}', b"{}"),
        (b'{"a":"}\\",{", "write\\u004bey" : {"x":[1,2]}}', b'{"a":"}\\",{"}'),
        (b'{"a": 1e5 }', b'{"a": 1e5 }'),
    ],
)  # fmt: skip
def test_a_moved_record_loses_its_write_key_and_no_other_byte(sent: bytes, kept: bytes) -> None:
    assert _without_write_key(sent) == kept


def test_a_file_that_was_sealed_or_removed_since_it_was_listed_fails_nothing(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "track"
    folder.mkdir()
    listed = [folder / f"20261122T05-{name}.ndjson.open" for name in ("sealed", "gone")]
    (folder / "20261122T05-sealed.ndjson").write_bytes(b"line\n")

    assert waiting.count_lines([*listed, folder / "20261122T05-loaded.ndjson"]).total() == 1


def test_a_setting_that_is_set_to_nothing_is_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEAMLINE_LANDING", raising=False)
    default = Settings().landing
    monkeypatch.setenv("SEAMLINE_LANDING", "")
    monkeypatch.setenv("SEAMLINE_LOAD_BYTES", "64MiB")

    assert Settings().landing == default
    assert Settings().load_bytes == 64 * 1024 * 1024
