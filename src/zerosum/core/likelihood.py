"""How probable a game holds examples that it never saw."""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from zerosum.core.draw import BLOCK, block_seed, sampling
from zerosum.core.game import Game
from zerosum.data.fields import Batch, size_of
from zerosum.errors import UserError


@runtime_checkable
class Likely(Protocol):
    """A game that says how probable examples are."""

    def log_likelihood(self, batch: Batch) -> Tensor:
        """Logarithm (B,) of the probability of finished examples, or a lower bound on it.

        In nats, summed over all numbers of an example: of pixels with a finite number of levels
        a probability, of points a density.
        """
        ...


def has_likelihood(game: Game) -> bool:
    """Whether a game says how probable examples are."""
    return isinstance(game, Likely)


@torch.no_grad()
def likelihood(game: Game, examples: Batch, seed: int = 0) -> Tensor:
    """Log probability of finished examples in nats per number, on the CPU.

    What the game draws on the way, such as the noise between the levels of pixels, comes from
    the seed, and leaves the global generator as it was.

    Args:
        game: The game, with the weights that are asked.
        examples: Examples (N, ...), by field.
        seed: Of all that is drawn.

    Returns:
        Natural logarithms (N,), each divided by how many numbers an example has.

    Raises:
        UserError: The game has no likelihood.
    """
    if not isinstance(game, Likely):
        raise UserError(f"{type(game).__name__} does not say how probable an example is")
    numbers = sum(math.prod(v.shape[1:]) for v in examples.values() if v.is_floating_point())
    devices = [game.device] if game.device.type == "cuda" else []
    parts = []
    with sampling(game), torch.random.fork_rng(devices):
        for block, start in enumerate(range(0, size_of(examples), BLOCK)):
            torch.manual_seed(block_seed(seed, block))
            part = {k: v[start : start + BLOCK].to(game.device) for k, v in examples.items()}
            parts.append(game.log_likelihood(part).double().cpu() / numbers)
    return torch.cat(parts)
