"""Random numbers of augmentations: one for each image, and neutral where an image is spared."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor


@dataclass(frozen=True)
class Draws:
    """What the changes of one batch are drawn from.

    Attributes:
        like: The images (B, ...); numbers are of their type and on their device.
        strength: p, the chance that a change with multiplier 1 happens to an image.
        rng: Source of the randomness; the device's global generator when None.
        percentile: Takes this quantile of every number, and makes every change, instead of
            drawing: for tests. The normal's is that of N(0, 1/2), as in the official code, which
            leaves out a factor of sqrt 2.
    """

    like: Tensor
    strength: float
    rng: torch.Generator | None = None
    percentile: float | None = None

    def uniform(self, *shape: int) -> Tensor:
        """Numbers (B, *shape) in [0, 1)."""
        if self.percentile is not None:
            return self.like.new_full((len(self.like), *shape), self.percentile)
        device = self.like.device if self.rng is None else self.rng.device
        drawn = torch.rand(len(self.like), *shape, generator=self.rng, device=device)
        return drawn.to(self.like)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers (B, *shape)."""
        if self.percentile is not None:
            value = NormalDist(0, 0.5**0.5).inv_cdf(self.percentile)
            return self.like.new_full((len(self.like), *shape), value)
        device = self.like.device if self.rng is None else self.rng.device
        drawn = torch.randn(len(self.like), *shape, generator=self.rng, device=device)
        return drawn.to(self.like)

    def spared(self, value: Tensor, multiplier: float, neutral: float) -> Tensor:
        """A change's numbers (B, ...), neutral for those images to which it does not happen.

        Args:
            value: The numbers, drawn for all.
            multiplier: The change happens with probability `multiplier` x `strength`.
            neutral: The number that changes nothing.
        """
        if self.percentile is not None:
            return value
        happens = self.uniform() < multiplier * self.strength
        return torch.where(happens.view(-1, *(1,) * (value.ndim - 1)), value, neutral)
