"""A graph for people: its nodes in the plane, and which pairs were drawn."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import networkx as nx
import torch
from torch import Tensor

from zerosum.modalities.graphs.codec import GraphCodec
from zerosum.plots import FAKE, REAL, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 80
"""Nodes up to which their names are written."""
ROUNDS = 50


def drawing(pairs: Tensor, codec: GraphCodec, title: str = "") -> Figure:
    """Pairs (N, 2) over the edges that were learned from: known ones and others by colour."""
    figure = new_figure(7, 6.6)
    axis = figure.subplots()
    places = layout(codec.names, codec.edges)
    known = codec.known({"edge": pairs})
    _lines(axis, places, codec.edges, "0.85", 0.6, "edges learned from")
    _lines(axis, places, pairs[known], REAL, 0.8, "drawn, and an edge")
    other = pairs[~known & (pairs[:, 0] != pairs[:, 1])]
    _lines(axis, places, other, FAKE, 0.8, "drawn, and none")
    axis.scatter(*places.T.numpy(), s=10, color="0.2", zorder=3)
    if len(codec.names) <= NAMED:
        for name, (x, y) in zip(codec.names, places.tolist()):
            axis.annotate(name, (x, y), fontsize=6, xytext=(2, 2), textcoords="offset points")
    axis.set_axis_off()
    axis.legend(loc="lower right", fontsize=8)
    if title:
        figure.suptitle(title)
    return figure


def layout(names: tuple[str, ...], edges: Tensor) -> Tensor:
    """Where each node lies in the plane, (N, 2), the same for a graph each time."""
    return _layout(len(names), tuple(map(tuple, edges.tolist())))


@lru_cache(maxsize=4)
def _layout(count: int, edges: tuple[tuple[int, int], ...]) -> Tensor:
    graph = nx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(edges)
    places = nx.spring_layout(graph, seed=0, iterations=ROUNDS)
    return torch.tensor([places[node].tolist() for node in range(count)])


def _lines(
    axis: Axes, places: Tensor, pairs: Tensor, colour: str, width: float, label: str
) -> None:
    from matplotlib.collections import LineCollection

    lines = places[pairs.cpu()].numpy()
    axis.add_collection(LineCollection(list(lines), colors=colour, linewidths=width, label=label))
    axis.autoscale_view()


def degrees(axis: Axes, real: Tensor, fake: Tensor, nodes: int) -> None:
    """How often each node is an end of real and of drawn pairs (N, 2), nodes by the former."""
    counts = [torch.bincount(pairs.flatten().cpu(), minlength=nodes) for pairs in (real, fake)]
    order = counts[0].argsort(descending=True)
    for count, name, colour in zip(counts, ("real", "generated"), (REAL, FAKE)):
        share = count[order] / count.sum().clamp(min=1)
        axis.plot(share.numpy(), label=name, color=colour, lw=1)
    axis.set_xlabel("nodes, by their degree")
    axis.set_ylabel("share of ends")
    axis.legend()
