"""What a person sees: the Dagster UI and the live page of a running demo, in headless Chromium.

With SEAMLINE_PICTURES the pages are kept there as pictures: `make screenshots`.
"""

import os
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from segment.analytics.client import Client

from demo.events import generate
from tests.receiver.live.test_page import KEY, key_file
from tests.receiver.senders import test_javascript
from tests.receiver.senders.test_javascript import CHROMIUM, run_node
from tests.support.processes import eventually
from tests.support.stack.running_stack import RunningHouse

pytestmark = [*test_javascript.pytestmark, pytest.mark.timeout(1500)]

PATIENCE = 300
GROUPS = ["landing", "raw", "columns", "staging", "segment", "warehouse", "marts", "upkeep"]
RED = ("Failure", "Unsynced", "Overdue", "Not running", "Error")


class Seen(RunningHouse):
    """A demo that stays up, and a browser on it."""

    def up(self) -> None:
        """Start the demo, and send some more until there is something to plot."""
        self.environment["SEAMLINE_LIVE_KEY"] = str(key_file(self.folder))
        process = self.module("demo", "--seed", "1", "--timeout", str(PATIENCE))
        assert eventually(
            lambda: "Seamline is up" in self.tail() or process.poll() is not None, PATIENCE
        )
        assert process.poll() is None, self.tail()
        for seed in (2, 3):
            self.send(seed, 60 * seed)

    def send(self, seed: int, events: int) -> None:
        """Send some of the demo's events as an application does, and wait until they are rows."""
        ((before,),) = self.rows("select count(*) from segment.track")
        messages = generate(seed, events, datetime.now(UTC).date())
        client = Client(self.write_key(), host=f"http://127.0.0.1:{self.port}")
        for message in messages:
            getattr(client, message.call)(message_id=message.message_id, **message.arguments)
        client.flush()
        client.join()
        new = len({message.message_id for message in messages if message.call == "track"})
        assert eventually(
            lambda: self.rows("select count(*) from segment.track") == [(before + new,)], PATIENCE
        )

    def write_key(self) -> str:
        """The first that may send."""
        sources = tomllib.loads(Path(self.environment["SEAMLINE_SOURCES"]).read_text())
        return str(sources["source"][0]["server_keys"][0])

    def see(self, step: str, picture: str | None = None, **order: Any) -> Any:
        """Do a step of dagster_ui.mjs; return what was shown."""
        folder = os.environ.get("SEAMLINE_PICTURES")
        if folder and picture:
            order["picture"] = str(Path(folder).resolve() / f"{picture}.png")
        order = {"executablePath": CHROMIUM, "url": self.dagster_url, "step": step} | order
        report = run_node("dagster_ui.mjs", order, PATIENCE)
        assert "failed" not in report, f"{report['failed']}\n{report['text']}"
        assert report["errors"] == []
        return report.get("shown")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """One that all tests of this file look at."""
    house = Seen(tmp_path_factory.mktemp("seen"))
    try:
        house.up()
        yield house
    finally:
        house.end()


@pytest.fixture(scope="module")
def damaged(house: Seen) -> Seen:
    """The same once a tenth of what it was sent cannot be used."""
    receiver = f"http://127.0.0.1:{house.port}/v1/track"
    for _ in range(150):
        answer = httpx.post(receiver, auth=(house.write_key(), ""), content=b'{"event": "Cut sho')
        answer.raise_for_status()
    assert eventually(lambda: house.rows("select count(*) from raw.rejected") == [(150,)], PATIENCE)
    return house


def test_on_a_fresh_demo_nothing_is_red_and_nothing_is_behind(house: Seen) -> None:
    pages = {
        "/runs": ["load"],
        "/assets": ["landing", "Materialized"],
        "/asset-groups": GROUPS,
        "/health": ["Daemon statuses", "Running"],
        "/overview/activity/timeline": ["load"],
    }

    shown = house.see("pages", pages=pages)

    for path, text in shown.items():
        assert not [word for word in RED if word in text], path


def test_the_graph_shows_the_road_in_groups(house: Seen) -> None:
    shown = house.see("graph", "graph", width=1440, height=640, groups=GROUPS)

    assert "default" not in shown["text"].splitlines()


def test_the_lineage_of_a_view_begins_with_who_sends(house: Seen) -> None:
    road = ["sources", "landing", "landed_file", "stg_segment__track", "track", "tracks"]

    shown = house.see(
        "lineage",
        "lineage-of-tracks",
        asset="segment_warehouse/tracks",
        scope="upstream",
        assets=road,
    )

    assert set(road) <= set(shown["text"].splitlines())


def test_a_table_shows_its_columns_whose_it_is_and_its_code(house: Seen) -> None:
    shown = house.see(
        "overview",
        "track-in-dagster",
        asset="segment/track",
        words=["Columns", "Owners", "seamline.segment.track", "message_id"],
    )

    lines = shown["text"].splitlines()
    assert {"data", "dbt", "DuckDB", "Table"} <= set(lines)
    assert "/dbt_project/models/segment/track.sql" in shown["code"]


def test_the_numbers_of_a_raw_table_plot(house: Seen) -> None:
    plotted = ["bytes", "dagster/row_count", "files", "lag_seconds", "new_rows", "rejected"]

    shown = house.see("plots", "plots", height=980, asset="raw/track", plots=plotted)

    assert shown["plots"] == len(plotted)


def test_a_replay_is_launched_with_config_that_is_refused_if_it_does_not_fit(house: Seen) -> None:
    config = "ops:\n  replay_whole_table:\n    config:\n      table: {}\n"

    shown = house.see(
        "launch",
        "replay",
        job="replay_table",
        wrong=config.format("nothing"),
        refusal="not in enum type",
        right=config.format("track"),
        said="Derived again: track, every day",
    )

    assert shown["refused"]
    with dg.DagsterInstance.from_config(house.environment["DAGSTER_HOME"]) as instance:
        run = instance.get_run_by_id(shown["run"])
    assert run is not None
    assert run.run_config == {"ops": {"replay_whole_table": {"config": {"table": "track"}}}}


def test_a_check_that_fails_says_what_is_wrong_and_what_to_do(damaged: Seen) -> None:
    shown = damaged.see(
        "check",
        "failed-check",
        asset="raw/rejected",
        check="rejects_are_few",
        found="lines of default were rejected",
    )

    assert "Failed" in shown["text"].splitlines()
    assert "seamline replay --rejected" in shown["text"]


def test_the_live_page_shows_the_same_events(damaged: Seen) -> None:
    damaged.send(4, 20)

    shown = damaged.see(
        "live",
        "live",
        url=f"http://127.0.0.1:{damaged.port}",
        credentials={"username": "x", "password": KEY},
        verdicts=["landed", "rejected"],
        opened="rejected",
    )

    assert set(shown["verdicts"]) == {"landed", "rejected"}


def test_a_terminal_says_it_too(damaged: Seen) -> None:
    status, printed = damaged.try_run("status")

    assert status == 1
    assert "lines of default were rejected" in printed
    # the folder is another on each machine
    damaged.see(
        "terminal",
        "status",
        printed=f"$ seamline status\n{printed}".replace(str(damaged.folder), "/srv/seamline"),
    )
