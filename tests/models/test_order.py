"""Of models that do not wait for one another dbt runs first what most events wait for."""

from types import SimpleNamespace
from typing import Any

import networkx as nx
from dbt.graph.queue import GraphQueue

from orchestration.models.order import beginning_with


def order(*edges: tuple[str, str], alone: tuple[str, ...] = ()) -> list[str]:
    """The models of a graph as dbt's queue gives them out to one thread."""
    graph = nx.DiGraph()
    graph.add_edges_from([(f"model.seamline.{a}", f"model.seamline.{b}") for a, b in edges])
    graph.add_nodes_from([f"model.seamline.{name}" for name in alone])
    manifest: Any = SimpleNamespace(expect=lambda node: SimpleNamespace(unique_id=node))
    queue = GraphQueue(graph, manifest, set(graph.nodes()))
    found = []
    while not queue.empty():
        node = queue.get()
        found.append(node.unique_id.rpartition(".")[2])
        queue.mark_done(node.unique_id)
    return found


def test_they_come_as_they_are_named_and_the_rest_by_the_alphabet() -> None:
    with beginning_with(["track", "page"]):
        assert order(alone=("group", "identify", "page", "track")) == [
            *("track", "page"),
            *("group", "identify"),
        ]


def test_what_a_model_reads_is_made_before_it() -> None:
    with beginning_with(["track"]):
        assert order(("stg_page", "page"), ("stg_track", "track")) == [
            *("stg_page", "stg_track"),
            *("track", "page"),
        ]


def test_behind_it_all_is_as_dbt_has_it() -> None:
    with beginning_with(["track"]):
        pass

    assert order(alone=("group", "track")) == ["group", "track"]
