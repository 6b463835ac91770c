"""An edge as a field: two nodes of one graph."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from zerosum.data.fields import Field


class EdgeField(Field):
    """A pair of nodes, int64 (2,), each from 0 to nodes - 1."""

    kind: Literal["edge"] = "edge"
    shape: tuple[Literal[2]] = (2,)
    nodes: int = 0
    """Nodes of the graph."""
    count: int = 0
    """Edges that are learned from."""

    def random(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randint(max(self.nodes, 1), (n, 2), generator=rng)
