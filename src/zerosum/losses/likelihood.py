"""Probabilities of pixels that can have a finite number of values."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.special import log_ndtr


def discretised_normal(images: Tensor, mean: Tensor, sigma: Tensor, levels: int) -> Tensor:
    """Log probability of each image under normal laws that are cut into levels.

    The mass of each normal law between half a level below and half a level above the pixel, the
    lowest and highest level taking all that is beyond (Ho, Jain and Abbeel 2020, eq. 13).

    Args:
        images: Shape (B, ...), on levels that divide [-1, 1] evenly.
        mean: Means, the same shape.
        sigma: Standard deviations, of a shape that broadcasts to it.
        levels: How many values a pixel can have, at least 2.

    Returns:
        Nats (B,): sums over the numbers of an image.
    """
    half = 1 / (levels - 1)
    away = images - mean
    low = torch.where(images < -1 + half, -torch.inf, (away - half) / sigma)
    high = torch.where(images > 1 - half, torch.inf, (away + half) / sigma)
    # On the lower side of the law, where its distribution function keeps its digits.
    low, high = torch.where(low > 0, -high, low), torch.where(low > 0, -low, high)
    above = log_ndtr(high)
    inside = above + torch.log1p(-(log_ndtr(low) - above).exp())
    return inside.flatten(1).sum(1)
