"""What is in a path of edges, for `zerosum inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from zerosum.modalities.graphs.config import MOST
from zerosum.modalities.graphs.reading import NAMES, OWN, read, suffix_of
from zerosum.modalities.modality import Inspection


def reads(path: str) -> str:
    """What a path would be read as; "" for files that other kinds of data have too."""
    if path in NAMES:
        return f"the graph '{path}'"
    return "a graph" if suffix_of(Path(path)) in OWN and Path(path).is_file() else ""


def inspect(path: str) -> Inspection:
    """What is in a path.

    Raises:
        UserError: Nothing is there, or nothing can be read.
    """
    graph = read(path)
    made = graph.networkx()
    degrees = np.bincount(graph.edges.ravel(), minlength=len(graph.names))
    nodes, edges = len(graph.names), len(graph.edges)
    parts = nx.number_connected_components(made)
    possible = nodes * (nodes - 1) // 2
    first = graph.names[int(degrees.argmax())]
    triangles: Any = nx.triangles(made)  # by node, of which each has three
    rows = {
        "nodes": f"{nodes:,}",
        "edges": f"{edges:,}, {edges / possible:.2%} of all pairs",
        "degrees": f"{degrees.min()} to {degrees.max()} ({first}), mean {degrees.mean():.3g}",
        "parts": f"{parts:,}",
        "triangles": f"{sum(triangles.values()) // 3:,}",
    }
    warnings = []
    if nodes > MOST:
        warnings.append(f"{nodes:,} nodes, and {MOST:,} is the most: take a part of the graph")
    if parts > 1:
        warnings.append(
            f"{parts:,} connected parts: no pair across two of them is ever proposed by graphgan"
        )
    facts = {
        "nodes": nodes,
        "edges": edges,
        "parts": parts,
        "degrees": degrees.tolist(),
        "left_out": dict(graph.left_out),
    }
    command = f"zerosum train graphgan --data {path}"
    return Inspection(path, rows, graph.said(), warnings, command, facts)
