"""What comes before the raw tables: who sends, and the folder that their events land in.

The receiver fills it, in processes of its own; Dagster shows both, and never runs them.
"""

import dagster as dg

GROUP = "landing"

SOURCES = dg.AssetKey(["sources"])
"""Whoever sends, as `sources.toml` names them."""

LANDING = dg.AssetKey(["landing"])
"""The folder `landing/`."""

landing_assets = [
    dg.AssetSpec(
        SOURCES,
        description="Segment, its SDKs and imports, each with credentials of its own "
        "(docs/senders.md).",
        group_name=GROUP,
        kinds={"segment"},
    ),
    dg.AssetSpec(
        LANDING,
        deps=[SOURCES],
        description="Landed files: an event is on disk here before it is acknowledged, in a folder "
        "for each call (landing/README.md). Materialized four times an hour if all of it but the "
        "newest is loaded: what is older than an hour says that loads do not keep up, and not that "
        "nobody sends.",
        group_name=GROUP,
        kinds={"json"},
    ),
]
