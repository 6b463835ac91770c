"""A generator of graphs, all atoms and bonds at once, and a judge of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zerosum.layers.graph import GraphEncoder
from zerosum.layers.minibatch import MinibatchDiscrimination


class GraphGenerator(nn.Module):
    """Codes (B, latent) to logits of atoms (B, N, T) and, symmetric, of bonds (B, N, N, Y)."""

    def __init__(
        self,
        latent: int,
        hidden: Sequence[int],
        nodes: int,
        kinds: Sequence[int],
        unbound: float = 0.0,
    ) -> None:
        """Build the network.

        Args:
            latent: Numbers of a code.
            hidden: Widths of the hidden layers.
            nodes: Nodes of a graph (N).
            kinds: Kinds of atoms (T) and of bonds (Y), of which kind 0 means that there is none.
            unbound: What the logit of no bond begins with. All pairs are as likely bound as not
                otherwise, and few graphs have as many bonds.
        """
        super().__init__()
        layers: list[nn.Module] = []
        for wide, narrow in zip([latent, *hidden], hidden):
            layers += [nn.Linear(wide, narrow), nn.Tanh()]
        self.trunk = nn.Sequential(*layers)
        self.atoms = nn.Linear(hidden[-1], nodes * kinds[0])
        self.bonds = nn.Linear(hidden[-1], nodes * nodes * kinds[1])
        self.nodes, self.kinds = nodes, tuple(kinds)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                # Torch's own start lets a code fade on its way through tanh: all graphs alike.
                nn.init.xavier_uniform_(layer.weight, nn.init.calculate_gain("tanh"))
                nn.init.zeros_(layer.bias)
        if unbound:
            with torch.no_grad():
                self.bonds.bias[:: kinds[1]] = unbound

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(z)
        atoms = self.atoms(features).view(len(z), self.nodes, self.kinds[0])
        bonds = self.bonds(features).view(len(z), self.nodes, self.nodes, self.kinds[1])
        return atoms, (bonds + bonds.transpose(1, 2)) / 2


class GraphJudge(nn.Module):
    """Graphs to one number each (B,): relational convolutions, a gated sum, a small network."""

    def __init__(
        self,
        kinds: Sequence[int],
        convolutions: Sequence[int],
        features: int,
        hidden: Sequence[int],
        *,
        mean: bool,
        compared: int = 0,
        sums: bool = False,
    ) -> None:
        super().__init__()
        atoms, bonds = kinds
        self.sums, nodes = sums, atoms + (bonds - 1) * sums
        self.encoder = GraphEncoder(nodes, bonds - 1, convolutions, features, mean=mean)
        layers: list[nn.Module] = []
        if compared:
            layers.append(MinibatchDiscrimination(features, compared, 8))
        widths = [features + compared, *hidden]
        for wide, narrow in zip(widths, hidden):
            layers += [nn.Linear(wide, narrow), nn.Tanh()]
        self.head = nn.Sequential(*layers, nn.Linear(widths[-1], 1), nn.Flatten(0))

    def forward(self, atoms: Tensor, bonds: Tensor) -> Tensor:
        edges = bonds[..., 1:]
        nodes = torch.cat([atoms, edges.sum(2)], dim=-1) if self.sums else atoms
        return self.head(self.encoder(nodes, edges))
