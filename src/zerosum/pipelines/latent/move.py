"""Paths on which what a picture shows is moved and turned."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from zerosum.errors import UserError

Motion = Literal["shift", "turn", "both"]


def path(frames: int, motion: Motion = "both", *, reach: float = 0.25) -> Tensor:
    """Transforms of a film that ends where it began.

    Args:
        frames: How many.
        motion: `shift` goes on a circle, `turn` turns once, `both` does both.
        reach: Radius of the circle, as a share of the shorter side.

    Returns:
        (frames, 3, 3), in the units of `zerosum.core.styles.Movable`.

    Raises:
        UserError: No frames are asked for.
    """
    if frames < 1:
        raise UserError(f"{frames} frames make no film: ask for at least 1")
    angles = torch.arange(frames, dtype=torch.float64) * (2 * math.pi / frames)
    found = torch.eye(3, dtype=torch.float64).repeat(frames, 1, 1)
    if motion != "shift":
        found[:, 0, 0] = found[:, 1, 1] = angles.cos()
        found[:, 0, 1], found[:, 1, 0] = -angles.sin(), angles.sin()
    if motion != "turn":
        # From the middle and back to it.
        found[:, 0, 2], found[:, 1, 2] = 2 * reach * angles.sin(), 2 * reach * (1 - angles.cos())
    return found.float()
