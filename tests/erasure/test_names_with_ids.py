"""Names of fields that hold an id go with an erasure; those that only look like it stay."""

import pytest

from orchestration.erasure import erased_fields
from orchestration.erasure.erase import forget, forget_notified
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id
from orchestration.models import run
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House
from tests.support.person import event, found_in, track

KIM = "kim_77x"
NAMES = "select distinct call, event, path from raw.field order by all"
ERASED_NAMES = NAMES.replace("raw.field", "raw.erased_field")


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[list[str] | None]:
    """The models that are built; nothing is, as that takes a minute."""
    asked: list[list[str] | None] = []

    def run_models(_: object, names: list[str] | None = None, **__: object) -> list[object]:
        asked.append(names)
        return []

    monkeypatch.setattr(run, "run_models", run_models)
    return asked


@pytest.mark.long
def test_a_short_id_in_a_longer_name_is_none(empty: House, built: list[list[str] | None]) -> None:
    payload = track("u", used=1, u2="x")
    landed.land(empty.landing, "track", landed.line(payload), landed.line(track("bob")))
    load(empty.settings)
    names = empty.rows(NAMES)

    forget(empty.settings, {Id(USER, "u")}, suppress=False)

    assert empty.rows(NAMES) == names
    assert ("track", "Seen", "properties.u2") in names
    kept = empty.rows("select distinct path from raw.erased_field order by all")
    assert {"userId", "properties.used", "properties.u2"} <= {path for (path,) in kept}
    assert built == []


def test_a_name_that_others_use_too_stays(empty: House, built: list[list[str] | None]) -> None:
    zoe = "zoë/1"
    lines = [landed.line(track(who, **{zoe: 1})) for who in (zoe, "bob")]
    landed.land(empty.landing, "track", *lines)
    load(empty.settings)
    names = empty.rows(NAMES)

    forget(empty.settings, {Id(USER, zoe)}, suppress=False)

    assert empty.rows(NAMES) == names
    assert built == []


@pytest.mark.long
def test_after_a_death_the_next_erasure_builds_what_is_called_by_the_id(
    empty: House, built: list[list[str] | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    identify = event("identify", userId=KIM, traits={KIM: "a", "plain": "b"})
    landed.land(empty.landing, "identify", landed.line(identify))
    clicked = event("track", userId=KIM, event=f"Clicked by {KIM}", properties={"x": 1})
    landed.land(empty.landing, "track", landed.line(clicked))
    load(empty.settings)

    def die(*_: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(erased_fields, "export_fields", die)
        with pytest.raises(InterruptedError):
            forget(empty.settings, {Id(USER, KIM)}, suppress=False)
    assert not [row for row in empty.rows(NAMES) if KIM in str(row)]
    assert built == []

    forget_notified(empty.settings)

    once = ["stg_segment__identify", "identify", "stg_segment__track", "track"]
    assert built == [once, None]

    forget(empty.settings, {Id(USER, "nobody")}, suppress=False)

    assert built == [once, None]


def test_a_name_that_an_earlier_erasure_kept_goes_with_the_id_in_it(
    empty: House, built: list[list[str] | None]
) -> None:
    score = "score of bob17"
    landed.land(empty.landing, "track", landed.line(track("ann", **{score: 1})))
    landed.land(empty.landing, "track", landed.line(track("bob17")))
    load(empty.settings)

    forget(empty.settings, {Id(USER, "ann")}, suppress=False)
    assert score in str(empty.rows(ERASED_NAMES))
    forget(empty.settings, {Id(USER, "bob17")}, suppress=False)

    assert found_in(empty.folder, "bob17") == []
    assert "bob17" not in str(empty.rows(NAMES)) + str(empty.rows(ERASED_NAMES))
    assert built == [["stg_segment__track", "track"], None]


@pytest.mark.long
def test_a_name_goes_that_only_an_earlier_erasure_still_has(
    empty: House, built: list[list[str] | None]
) -> None:
    landed.land(empty.landing, "track", landed.line(track("ann", **{"score of bob17": 1})))
    load(empty.settings)
    forget(empty.settings, {Id(USER, "ann")}, suppress=False)
    with writer_lock(empty.settings), connect(empty.settings) as con:
        con.execute("delete from raw.field where contains(path, 'bob17')")

    forget(empty.settings, {Id(USER, "bob17")}, suppress=False)

    assert found_in(empty.folder, "bob17") == []
    assert "bob17" not in str(empty.rows(ERASED_NAMES))
    assert built == []
