"""Generators of graphs, all atoms and bonds at once, and a judge of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.layers.graph import GraphCorrection, GraphEncoder
from zerosum.layers.minibatch import MinibatchDiscrimination
from zerosum.layers.relaxed import gumbel, gumbel_of, relaxed_graph

_RAREST = 1e-4  # the share that a kind counts with at least


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
        self.latent, self.trunk = latent, nn.Sequential(*layers)
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
        atoms = self.atoms(features).view(z.shape[0], self.nodes, self.kinds[0])
        bonds = self.bonds(features).view(z.shape[0], self.nodes, self.nodes, self.kinds[1])
        return atoms, (bonds + bonds.transpose(1, 2)) / 2


class FreeDraft(nn.Module):
    """Codes to noisy logits of a graph whose atoms and bonds are drawn apart, by given shares.

    Nothing is learned: what fits together is left to `GraphCorrection`, which therefore always
    begins with all the variety that chance has. The code holds that chance, so that a code is one
    graph and neighbouring codes have similar ones. Ours.
    """

    atoms: Tensor
    bonds: Tensor
    pairs: Tensor

    def __init__(self, shares: Sequence[Sequence[float]], nodes: int) -> None:
        """Build the module.

        Args:
            shares: Of each kind of atom (T) and of each kind of bond (Y), kind 0 being none.
            nodes: Nodes of a graph (N).

        Raises:
            UserError: Nobody counted the shares.
        """
        super().__init__()
        if not all(shares):
            raise UserError(
                "free drafts need the shares of atoms and bonds, which are counted "
                "where the data are opened: train anew, runs of earlier versions have none"
            )
        self.nodes, self.kinds = nodes, tuple(len(part) for part in shares)
        pairs = torch.triu_indices(nodes, nodes, 1)
        noise = nodes * GraphCorrection.NOISE
        self.sizes = (nodes * self.kinds[0], pairs.shape[1] * self.kinds[1], noise)
        self.latent = sum(self.sizes)
        for name, part in zip(("atoms", "bonds"), shares, strict=True):
            logs = torch.tensor(part).clamp(min=_RAREST).log()
            self.register_buffer(name, logs, persistent=False)
        self.register_buffer("pairs", pairs, persistent=False)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of atoms (B, N, T) and of bonds (B, N, N, Y), and the noise of corrections."""
        atoms, upper, noise = z.split(self.sizes, 1)
        batch, (left, right) = z.shape[0], self.pairs
        bonds = z.new_zeros(batch, self.nodes, self.nodes, self.kinds[1])
        upper = self.bonds + gumbel_of(upper.view(batch, -1, self.kinds[1]))
        bonds[:, left, right] = upper
        bonds[:, right, left] = upper
        atoms = self.atoms + gumbel_of(atoms.view(batch, self.nodes, -1))
        return atoms, bonds, noise.view(batch, self.nodes, -1)


def drawn_graph(
    z: Tensor,
    generator: GraphGenerator | FreeDraft,
    corrections: Iterable[nn.Module],
    *,
    chance: bool,
    rng: torch.Generator | None,
    temperature: float,
    hard: tuple[bool, bool],
    tied: bool,
) -> tuple[Tensor, Tensor]:
    """Graphs of codes: a draft, read and corrected some times.

    Args:
        z: Codes (B, latent).
        generator: What makes logits of them.
        corrections: `GraphCorrection`s that read each draft; none for the draft itself.
        chance: Draw the draft from its probabilities and the noise of the corrections. A free
            draft has both in its code.
        rng: Where that chance comes from.
        temperature: Divides the logits.
        hard: Whether drafts are one-hot, and whether the graph is.
        tied: Bind only pairs of which both are there.

    Returns:
        Atoms (B, N, T) and bonds (B, N, N, Y).
    """
    noise: Tensor | None = None
    if isinstance(generator, FreeDraft):
        atoms, bonds, noise = generator(z)
    else:
        atoms, bonds = generator(z)
        if chance:
            atoms = atoms + gumbel(atoms, rng)
            bonds = bonds + gumbel(bonds, rng, pairs=True)
    for correction in corrections:
        graph = relaxed_graph(atoms, bonds, temperature, hard=hard[0], tied=tied)
        given = noise
        if given is None:
            shape = (z.shape[0], generator.nodes, GraphCorrection.NOISE)
            given = z.new_zeros(shape)
            if chance:
                source = z.device if rng is None else rng.device
                given = torch.randn(shape, generator=rng, device=source).to(z.device)
        atoms, bonds = correction((atoms, bonds), graph, given)
    return relaxed_graph(atoms, bonds, temperature, hard=hard[1], tied=tied)


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
