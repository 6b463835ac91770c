"""Fully connected networks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import nn


def mlp(
    sizes: Sequence[int],
    *,
    slope: float = 0.2,
    dropout: float = 0.0,
    final: nn.Module | None = None,
) -> nn.Sequential:
    """Linear layers with leaky ReLU between them.

    Args:
        sizes: Widths from input to output; a batch (B, sizes[0]) becomes (B, sizes[-1]).
        slope: Slope of the activation below zero; 0 is ReLU.
        dropout: Share of hidden units dropped in training.
        final: A module after the last layer.
    """
    layers: list[nn.Module] = []
    for i, (wide, narrow) in enumerate(itertools.pairwise(sizes)):
        layers.append(nn.Linear(wide, narrow))
        if i < len(sizes) - 2:
            layers.append(nn.LeakyReLU(slope))
            if dropout:
                layers.append(nn.Dropout(dropout))
    if final is not None:
        layers.append(final)
    return nn.Sequential(*layers)
