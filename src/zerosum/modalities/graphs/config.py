"""One graph as data: its edges are the examples."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field as Setting

from zerosum.config import Seed
from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig, OnProgress
from zerosum.data.order import HOLDOUT, permutation
from zerosum.data.source import Split, TensorSource
from zerosum.errors import UserError
from zerosum.modalities.graphs.codec import GraphCodec
from zerosum.modalities.graphs.reading import Graph, read

MOST = 5_000
"""Nodes of a graph at most: trees of all nodes take the square of their number."""


class Edges(DataConfig):
    """The edges of one undirected graph."""

    modality: ClassVar[str] = "graphs"
    codec: ClassVar[type[Codec]] = GraphCodec

    kind: Literal["edges"] = "edges"
    path: str = "karate"
    """Named graph (karate, les-miserables, florentine, block-model) or a list of edges, two nodes
    a line (.edgelist, .edges, .csv, .tsv, .txt), .graphml or .gml, each also with .gz."""
    holdout: float = Setting(default=0.1, ge=0, lt=1)
    """Share of the edges kept aside; never a node's last one."""
    seed: Seed = 0
    """Of the choice of these."""

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        graph = self.read()
        kept, aside = parted(graph, self.holdout, self.seed)
        fitted = codec if isinstance(codec, GraphCodec) else None
        if fitted is None:
            fitted = GraphCodec(graph.names, torch.from_numpy(graph.edges[kept]))
        elif fitted.names != graph.names:
            raise UserError(f"the nodes of {self.path} are others than those that were learned")
        # Both ways round, so that each end is the first one as often.
        pairs = torch.from_numpy(graph.edges[kept])
        both = torch.cat([pairs, pairs.flip(1)])
        train = TensorSource(
            {"edge": both}, fitted.fields, name=f"{self.path}/train", notes=graph.said()
        )
        if not len(aside):
            return Split(train, None, "none: every edge is used for training", fitted)
        held = torch.from_numpy(graph.edges[aside])
        heldout = TensorSource({"edge": held}, fitted.fields, name=f"{self.path}/heldout")
        total = len(graph.edges)
        note = f"{self.holdout:.3g} of the edges ({len(aside):,} of {total:,}), seed {self.seed}"
        return Split(train, heldout, note, fitted)

    def read(self) -> Graph:
        """The whole graph.

        Raises:
            UserError: It cannot be read, or has too many nodes.
        """
        graph = read(self.path)
        if len(graph.names) > MOST:
            raise UserError(
                f"{self.path} has {len(graph.names):,} nodes, and {MOST:,} is the most: take a "
                "part of the graph"
            )
        return graph

    def at(self, path: str) -> Self:
        return self.model_copy(update={"path": path})

    @property
    def title(self) -> str:
        return self.path

    @property
    def prepared(self) -> str:
        return "undirected edges without loops and weights, each once"


def parted(graph: Graph, holdout: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the edges that are learned from and of those that are kept aside.

    An edge without which one of its ends would have none stays.
    """
    total = len(graph.edges)
    wanted = min(round(total * holdout), total - 2)
    left = np.bincount(graph.edges.ravel(), minlength=len(graph.names))
    aside: list[int] = []
    for number in permutation((seed, HOLDOUT), total).tolist() if wanted > 0 else ():
        if len(aside) == wanted:
            break
        ends = graph.edges[number]
        if (left[ends] > 1).all():
            left[ends] -= 1
            aside.append(number)
    chosen = np.array(sorted(aside), dtype=np.int64)
    return np.setdiff1d(np.arange(total), chosen), chosen
