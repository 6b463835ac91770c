"""Ways between codes."""

from __future__ import annotations

import torch
from torch import Tensor


def slerp(start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
    """Points on the great circle between two codes (Shoemake 1985), at their lengths.

    Args:
        start: A code (D, ...).
        end: A code of the same shape.
        shares: Positions (S,) in [0, 1].

    Returns:
        Codes (S, D, ...).
    """
    a, b = start.flatten(), end.flatten()
    cosine = torch.dot(a, b) / (a.norm() * b.norm()).clamp_min(1e-12)
    angle = torch.arccos(cosine.clamp(-1, 1))
    t = shares[:, None]
    if torch.sin(angle) < 1e-4:  # parallel, or opposite as codes of one number are
        mixed = (1 - t) * a + t * b
    else:
        mixed = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    return mixed.view(len(shares), *start.shape)
