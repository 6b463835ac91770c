"""A molecule as a dense graph of its heavy atoms, or as words: what networks see of it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from zerosum.data.fields import Field


class AtomField(Field):
    """Which atom each of N nodes is: (N,) int64, 0 for none; finished one-hot (N, T)."""

    kind: Literal["atoms"] = "atoms"
    shape: tuple[int, int] = (0, 0)
    """(N, T) of one finished example."""
    names: tuple[str, ...] = ()
    """Element and charge of categories 1, 2, ..., such as `C`, `N+`, `O-`."""
    shares: tuple[float, ...] = ()
    """Share of the training part's nodes that each category has, (T,); empty where unknown."""

    def finish(self, raw: Tensor) -> Tensor:
        """Categories (B, N) as float32 one-hot rows (B, N, T), T = 1 + number of names."""
        return one_hot(raw.long(), 1 + len(self.names)).float()


class BondField(Field):
    """The bond of each pair of nodes: (N, N) int64, 0 for none; finished one-hot (N, N, Y)."""

    kind: Literal["bonds"] = "bonds"
    shape: tuple[int, int, int] = (0, 0, 0)
    """(N, N, Y) of one finished example."""
    names: tuple[str, ...] = ()
    """Kinds of bond of categories 1, 2, ..., such as `single`, `double`."""
    shares: tuple[float, ...] = ()
    """Share of the training part's pairs of atoms that each category has, (Y,); empty where
    unknown."""

    def finish(self, raw: Tensor) -> Tensor:
        """Categories (B, N, N) as float32 one-hot (B, N, N, Y), Y = 1 + number of names."""
        return one_hot(raw.long(), 1 + len(self.names)).float()


class TokenField(Field):
    """The word at each of L places: (L,) int64, 0 for none; finished one-hot (L, V)."""

    kind: Literal["tokens"] = "tokens"
    shape: tuple[int, int] = (0, 0)
    """(L, V) of one finished example."""
    names: tuple[str, ...] = ()
    """Words of categories 1, 2, ..., such as `[C]`, `[=O]`."""

    def finish(self, raw: Tensor) -> Tensor:
        """Categories (B, L) as float32 one-hot rows (B, L, V), V = 1 + number of words."""
        return one_hot(raw.long(), 1 + len(self.names)).float()


def categories(atoms: Tensor, bonds: Tensor) -> tuple[Tensor, Tensor]:
    """The most likely graph of finished or sampled tensors.

    Args:
        atoms: (B, N, T): one-hot, probabilities or logits.
        bonds: (B, N, N, Y), likewise; what both directions of a pair say is added.

    Returns:
        Categories (B, N) and (B, N, N), int64; bonds are symmetric with an empty diagonal.
    """
    kinds = (bonds + bonds.transpose(1, 2)).argmax(3)
    diagonal = torch.eye(kinds.shape[1], dtype=torch.bool, device=kinds.device)
    return atoms.argmax(2), kinds.masked_fill(diagonal, 0)
