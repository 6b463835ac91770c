"""Numbers as vectors."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Sinusoids(nn.Module):
    """A number as sines and cosines of geometrically spaced frequencies (Vaswani et al. 2017).

    Args:
        size: Length of the vector, even.
        longest: Longest period, in units of the number times 2 pi.
    """

    frequencies: Tensor

    def __init__(self, size: int, longest: float = 10_000.0) -> None:
        super().__init__()
        half = size // 2
        steps = torch.arange(half) / max(half - 1, 1)
        self.register_buffer(
            "frequencies", torch.exp(-math.log(longest) * steps), persistent=False
        )

    def forward(self, number: Tensor) -> Tensor:
        """Vectors (B, size) of numbers (B,)."""
        angles = number[:, None].float() * self.frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=1)
