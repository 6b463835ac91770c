"""Games over one graph that say which pairs of its nodes are likely edges."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from zerosum.core.draw import sampling
from zerosum.core.game import Game, SampleOptions
from zerosum.errors import UserError

PORTION = 65_536
"""Pairs that are scored at a time."""


@runtime_checkable
class Linking(Protocol):
    """A game that scores pairs of nodes."""

    def link_scores(self, pairs: Tensor) -> Tensor:
        """How likely pairs (B, 2) of nodes are edges, (B,); higher is likelier."""
        ...


@torch.no_grad()
def link_scores(game: Game, pairs: Tensor, options: SampleOptions | None = None) -> Tensor:
    """Scores (N,) of pairs (N, 2), on the CPU, float64.

    Raises:
        UserError: The game scores no pairs.
    """
    if not isinstance(game, Linking):
        raise UserError(
            f"{type(game).__name__} scores no pairs of nodes: train graphgan on a graph"
        )
    with sampling(game, options):
        parts = [game.link_scores(some.to(game.device)).cpu() for some in pairs.split(PORTION)]
    return torch.cat(parts).double() if parts else torch.zeros(0, dtype=torch.float64)
