"""Games that map both ways: what was mapped can be mapped back."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from zerosum.core.draw import BLOCK, sampling
from zerosum.core.game import Game
from zerosum.data.fields import Batch, size_of


@runtime_checkable
class Returning(Protocol):
    """A game that maps its answers back."""

    def returned(self, answers: Batch) -> Tensor:
        """What answers (B, ...), as `sample` gives them, are mapped back to, shaped as inputs."""
        ...


@torch.no_grad()
def returned(game: Returning, answers: Batch) -> Tensor:
    """What answers (N, ...) are mapped back to, on the CPU.

    Args:
        game: The game, with the weights that are asked.
        answers: As its `sample` gave them.
    """
    assert isinstance(game, Game)
    parts = []
    with sampling(game):
        for start in range(0, size_of(answers), BLOCK):
            part = {k: v[start : start + BLOCK].to(game.device) for k, v in answers.items()}
            parts.append(game.returned(part).cpu())
    return torch.cat(parts)
