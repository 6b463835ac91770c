"""Random numbers of augmentations: one for each image, and neutral where an image is spared."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor


@dataclass(frozen=True)
class Draws:
    """What the changes of one batch are drawn from.

    The numbers of a batch are few, and a graphics processor takes as long to begin a sum as to add
    up an image. So they are drawn and combined on the processor, and matrices alone go over.

    Attributes:
        like: Stands for the images (B, ...): numbers are of its type and on its device; see `of`.
        strength: p, the chance that a change with multiplier 1 happens to an image.
        rng: Source of the randomness; the global generator of `like`'s device when None.
        percentile: Takes this quantile of every number, and makes every change, instead of
            drawing: for tests. The normal's is that of N(0, 1/2), as in the official code, which
            leaves out a factor of sqrt 2.
    """

    like: Tensor
    strength: float
    rng: torch.Generator | None = None
    percentile: float | None = None

    @classmethod
    def of(
        cls,
        images: Tensor,
        strength: float,
        rng: torch.Generator | None = None,
        percentile: float | None = None,
    ) -> Draws:
        """Draws on the processor for images (B, ...) of any device."""
        stand_in = torch.empty((), dtype=images.dtype).expand(images.shape)
        return cls(stand_in, strength, rng, percentile)

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


def beside(value: Tensor, images: Tensor) -> Tensor:
    """A tensor on the images' device; a CUDA device is not waited for, which still computes."""
    return value.to(images.device, non_blocking=images.is_cuda)
