"""How unlike its training examples a game finds others: one way for commands, scores and bench.

A score belongs to an example alone: it is the same whatever stands beside it, however many are
asked about, and whoever else is in the test. So nothing is scaled by a test set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from zerosum.core.draw import BLOCK, check_finite, sampling
from zerosum.core.game import Game, SampleOptions
from zerosum.data.fields import Batch, size_of
from zerosum.errors import UserError


@runtime_checkable
class Detector(Protocol):
    """A game that says how anomalous examples are."""

    def anomaly(self, batch: Batch) -> Tensor:
        """Scores (B,) of finished examples; higher is more anomalous. In the game's own unit."""
        ...


@runtime_checkable
class Localiser(Protocol):
    """A detector that says where."""

    def anomaly_map(self, batch: Batch) -> Tensor:
        """Scores (B, 1, H, W) of the pixels of finished examples; higher is more anomalous."""
        ...


def anomalies(
    game: Game,
    examples: Batch,
    options: SampleOptions | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Scores (N,) of finished examples, float64 on the CPU; higher is more anomalous.

    Examples go through the game in evaluation mode, in blocks of one size: where there are fewer
    the last one is repeated. So the same kernels run whatever N is, and a score is the same.

    Args:
        game: The game, with the weights that are asked.
        examples: Examples (N, ...), by field.
        options: Settings of scoring, such as the steps of a search; the defaults when None.
        on_progress: Called with examples done and of how many.

    Raises:
        UserError: The game is no detector, or its scores are no numbers.
    """
    if not isinstance(game, Detector):
        raise UserError(
            f"{type(game).__name__} does not say how anomalous an example is: "
            "anogan, f_anogan and ganomaly do"
        )
    return _in_blocks(game, game.anomaly, examples, options, on_progress).double()


def anomaly_maps(game: Game, examples: Batch, options: SampleOptions | None = None) -> Tensor:
    """Scores (N, 1, H, W) of pixels, as `anomalies` gives them of examples.

    Raises:
        UserError: The game does not say where.
    """
    if not isinstance(game, Localiser):
        raise UserError(f"{type(game).__name__} says no place of an anomaly: leave the maps out")
    return _in_blocks(game, game.anomaly_map, examples, options, None)


@torch.no_grad()
def _in_blocks(
    game: Game,
    ask: Callable[[Batch], Tensor],
    examples: Batch,
    options: SampleOptions | None,
    on_progress: Callable[[int, int], None] | None,
) -> Tensor:
    count, parts = size_of(examples), []
    with sampling(game, options):
        for start in range(0, count, BLOCK):
            rows = torch.arange(start, start + BLOCK).clamp(max=count - 1)
            block = {name: value[rows].to(game.device) for name, value in examples.items()}
            parts.append(ask(block)[: count - start].cpu())
            if on_progress is not None:
                on_progress(min(start + BLOCK, count), count)
    found = torch.cat(parts)
    check_finite({"score": found}, type(game).__name__)
    return found
