"""Networks on dense graphs: relational convolutions and gated sums, blind to the order of nodes.

A graph is x (B, N, T), what each node is, and adjacency (B, N, N, R), how strongly each relation
holds for each pair; both may be probabilities. "No relation" is none of the R.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

_PAIRED = 16  # numbers that the two nodes of a pair are told by in a correction


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


def walks(bonds: Tensor) -> tuple[Tensor, Tensor]:
    """What convolutions are slow to see of a graph: rings, what is near, and what hangs together.

    Args:
        bonds: Edges (B, N, N, R), symmetric and without loops, as they are or relaxed.

    Returns:
        Of each node (B, N, R + 5): its edges of each relation; the logarithm of one more than its
        closed walks of 3, 4, 5 and 6 steps, a half, half, half and third of the latter three; and
        the share of nodes that it is connected to. Of each pair (B, N, N, 3): its walks of 2 and
        of 3 steps through tanh, and whether it is connected, a third of 1; 0 on the diagonal.
    """
    nodes = bonds.shape[1]
    one = torch.eye(nodes, device=bonds.device)
    step = bonds.sum(-1)
    two = step @ step
    three = two @ step
    apart = one + step
    apart = apart @ apart
    apart = apart @ apart
    joined = torch.tanh(apart @ apart)  # eight steps join what nine nodes can
    closed = [
        three.diagonal(dim1=1, dim2=2),
        (two * two).sum(2),  # the diagonal of their product, since both are symmetric
        (two * three).sum(2),
        (three * three).sum(2),
    ]
    counts = [torch.log1p(n) / share for n, share in zip(closed, (1, 2, 2, 3), strict=True)]
    node = torch.cat([bonds.sum(2), torch.stack([*counts, joined.mean(2)], -1)], -1)
    pair = torch.stack([torch.tanh(two), torch.tanh(three), joined / 3], -1)
    return node, pair * (1 - one)[..., None]


class GraphCorrection(nn.Module):
    """Reads a graph that was drawn and gives what to add to the logits that it was drawn from.

    A generator that draws all atoms and bonds at once draws them apart from each other, and what
    does not fit together is drawn just as well; this layer sees the draw. Ours: two relational
    convolutions over the graph with its `walks`, then a small network for each node and pair.
    """

    NOISE: ClassVar[int] = 8
    """Random numbers per node, so that equal graphs may be corrected differently."""

    def __init__(self, kinds: tuple[int, int], width: int) -> None:
        """Build the layer.

        Args:
            kinds: Kinds of nodes (T) and of pairs (Y), the absent one among each.
            width: Numbers per node.
        """
        super().__init__()
        atoms, bonds = kinds
        seen = atoms + bonds - 1 + 5
        relations = bonds - 1 + 3
        self.first = RelationalConvolution(seen + atoms + self.NOISE, width, relations)
        self.second = RelationalConvolution(seen + width, width, relations)
        self.atoms = nn.Sequential(
            nn.Linear(seen + width, width), nn.SiLU(), nn.Linear(width, atoms)
        )
        self.sides = nn.Linear(seen + width, 2 * _PAIRED)
        self.bonds = nn.Sequential(
            nn.Linear(_PAIRED + bonds + relations, 2 * _PAIRED),
            nn.SiLU(),
            nn.Linear(2 * _PAIRED, bonds),
        )

    def forward(
        self, logits: tuple[Tensor, Tensor], graph: tuple[Tensor, Tensor], noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Corrected logits.

        Args:
            logits: Of nodes (B, N, T) and of pairs (B, N, N, Y), symmetric.
            graph: Drawn from them, the same shapes.
            noise: (B, N, NOISE).
        """
        atoms, bonds = logits
        edges = graph[1][..., 1:]
        node, pair = walks(edges)
        seen, relations = torch.cat([graph[0], node], -1), torch.cat([edges, pair], -1)
        h = self.first(torch.cat([seen, atoms, noise], -1), relations)
        h = torch.cat([seen, self.second(torch.cat([h, seen], -1), relations)], -1)
        left, right = self.sides(h).chunk(2, -1)
        paired = left[:, :, None] * right[:, None]
        paired = paired + paired.transpose(1, 2)
        atoms = atoms + self.atoms(h)
        return atoms, bonds + self.bonds(torch.cat([paired, bonds, relations], -1))
