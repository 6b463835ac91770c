"""Graphs: one graph, whose edges are the examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from PIL import Image
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig, OnProgress
from zerosum.data.fields import Batch, Field
from zerosum.data.source import Source
from zerosum.modalities.graphs.codec import GraphCodec
from zerosum.modalities.graphs.config import MOST, Edges
from zerosum.modalities.graphs.fields import EdgeField
from zerosum.modalities.modality import Inspection, Modality, Panel
from zerosum.plots import figure_picture

__all__ = ["MODALITY", "EdgeField", "Edges", "GraphCodec", "Graphs"]

ON_A_SHEET = 500
PLACES = 16
"""Numbers that stand for a node where laws of edges are compared."""


class Graphs(Modality):
    """Edges of one graph, in the field `edge`: pairs of its nodes."""

    name: ClassVar[str] = "graphs"
    noun: ClassVar[str] = "edges"
    configs: ClassVar[tuple[type[DataConfig], ...]] = (Edges,)
    default: ClassVar[str] = "graphgan/karate"
    raw: ClassVar[str] = "ends"
    metrics: ClassVar[tuple[str, ...]] = ("fd",)
    independent: ClassVar[bool] = False  # to propose a known edge is no copy, but right

    def reads(self, path: str) -> str:
        from zerosum.modalities.graphs.inspect import reads

        return reads(path)

    def inspect(
        self, path: str, *, limit: int | None = None, on_progress: OnProgress | None = None
    ) -> Inspection:
        from zerosum.modalities.graphs.inspect import inspect

        return inspect(path)

    def on_a_sheet(self, fields: Mapping[str, Field]) -> tuple[int, int]:
        return ON_A_SHEET, 0

    def sheet(
        self,
        samples: Batch,
        codec: Codec,
        *,
        real: Batch,
        columns: int,
        title: str,
        captions: Sequence[str] = (),
    ) -> Image.Image:
        from zerosum.modalities.graphs.show import drawing

        assert isinstance(codec, GraphCodec)
        return figure_picture(drawing(samples["edge"], codec, title))

    def panels(self, real: Batch, fake: Batch, codec: Codec) -> dict[str, Panel]:
        from zerosum.modalities.graphs.show import degrees

        assert isinstance(codec, GraphCodec)
        nodes = len(codec.names)
        return {"Ends": lambda axis: degrees(axis, real["edge"], fake["edge"], nodes)}

    def rows(self, batch: Batch) -> Tensor:
        """Each node has a fixed point, drawn from a normal law; a pair is the sum of its two, so
        that it is the same both ways round."""
        pairs = batch["edge"].detach().cpu()
        rng = torch.Generator().manual_seed(0)
        points = torch.randn(MOST, PLACES, generator=rng)
        return points[pairs].sum(1)

    def baselines(
        self, train: Source, codec: Codec, n: int, seed: int, inputs: Batch
    ) -> dict[str, Batch]:
        """Pairs of any nodes, and of nodes as often as they have edges."""
        assert isinstance(codec, GraphCodec)
        rng = torch.Generator().manual_seed(seed)
        ends = codec.edges.flatten()
        by_degree = ends[torch.randint(len(ends), (n, 2), generator=rng)]
        return {
            "pairs of any nodes": {"edge": torch.randint(len(codec.names), (n, 2), generator=rng)},
            "pairs by degree": {"edge": by_degree},
        }


MODALITY = Graphs()
