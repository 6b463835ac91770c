"""Networks on dense graphs: relational convolutions and gated sums, blind to the order of nodes.

A graph is x (B, N, T), what each node is, and adjacency (B, N, N, R), how strongly each relation
holds for each pair; both may be probabilities. "No relation" is none of the R.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class RelationalConvolution(nn.Module):
    """One step of messages along every relation.

    Schlichtkrull et al. 2018, "Modeling Relational Data with Graph Convolutional Networks",
    arXiv:1703.06103, in the form of De Cao and Kipf 2018, arXiv:1805.11973, eq. 5 and 6:

        h'_i = tanh(f_s([h_i, x_i]) + sum_j sum_r A_ijr / n_i f_r([h_j, x_j]))

    with affine f and n_i the number of neighbours of i, or 1 where sums are kept.
    """

    def __init__(
        self, incoming: int, outgoing: int, relations: int, *, mean: bool = False
    ) -> None:
        """Build the layer.

        Args:
            incoming: Numbers per node that come in, what each node is among them.
            outgoing: Numbers per node that go out.
            relations: Kinds of edges (R).
            mean: Divide messages by the number of neighbours, as the paper's equation has it; a
                mean cannot count them, which valences need.
        """
        super().__init__()
        self.relations, self.mean = relations, mean
        self.own = nn.Linear(incoming, outgoing)
        self.messages = nn.Linear(incoming, relations * outgoing)

    def forward(self, h: Tensor, adjacency: Tensor) -> Tensor:
        """Nodes (B, N, incoming) and edges (B, N, N, R) to nodes (B, N, outgoing)."""
        batch, nodes, _ = h.shape
        # (B, N, N * R) times (B, N * R, out): all relations in one product.
        sent = self.messages(h).view(batch, nodes * self.relations, -1)
        heard = adjacency.reshape(batch, nodes, nodes * self.relations) @ sent
        if self.mean:
            # An edge of a relaxed graph counts as much as it is there; fewer than one do not.
            heard = heard / adjacency.sum((2, 3)).clamp(min=1)[..., None]
        return torch.tanh(self.own(h) + heard)


class GatedSum(nn.Module):
    """One vector per graph: a sum over its nodes, each with a gate of its own.

    Li, Tarlow, Brockschmidt and Zemel 2016, "Gated Graph Sequence Neural Networks",
    arXiv:1511.05493, eq. 7: g = tanh(sum_i sigmoid(a(v_i)) * tanh(b(v_i))) with affine a, b.
    """

    def __init__(self, incoming: int, outgoing: int) -> None:
        """Build the layer for nodes of `incoming` numbers and graphs of `outgoing`."""
        super().__init__()
        self.gate = nn.Linear(incoming, outgoing)
        self.value = nn.Linear(incoming, outgoing)

    def forward(self, h: Tensor) -> Tensor:
        """Nodes (B, N, incoming) to graphs (B, outgoing)."""
        return torch.tanh((torch.sigmoid(self.gate(h)) * torch.tanh(self.value(h))).sum(1))


class GraphEncoder(nn.Module):
    """Relational convolutions, then a gated sum: a graph as a vector, in whatever order."""

    def __init__(
        self,
        nodes: int,
        relations: int,
        convolutions: Sequence[int],
        features: int,
        *,
        mean: bool = False,
    ) -> None:
        """Build the network.

        Args:
            nodes: Numbers that say what a node is (T).
            relations: Kinds of edges (R).
            convolutions: Numbers per node after each convolution.
            features: Numbers per graph.
            mean: Divide messages by the number of neighbours.
        """
        super().__init__()
        self.convolutions = nn.ModuleList()
        width = 0
        for wider in convolutions:
            layer = RelationalConvolution(width + nodes, wider, relations, mean=mean)
            self.convolutions.append(layer)
            width = wider
        self.gather = GatedSum(width + nodes, features)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Nodes (B, N, T) and edges (B, N, N, R) to graphs (B, features)."""
        h = x
        for convolution in self.convolutions:
            h = torch.cat([convolution(h, adjacency), x], dim=2)
        return self.gather(h)
