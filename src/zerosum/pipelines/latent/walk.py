"""Walks from point to point of a latent space."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.pipelines.arcs import slerp

Way = Literal["auto", "linear", "spherical"]


def walk(stops: Tensor, steps: int, way: Way = "linear", *, loop: bool = False) -> Tensor:
    """Points on the way through some stops.

    Args:
        stops: Points (n, ...), at least two.
        steps: Steps from one stop to the next.
        way: `linear` goes straight, which is right for styles; `spherical` on great circles, as
            normal codes lie near a sphere (White 2016, arXiv:1609.04468).
        loop: Whether the last stop is followed by the first, so that a film can repeat.

    Returns:
        Points ((n - 1) * steps + 1, ...), the stops among them; n * steps for a loop.

    Raises:
        UserError: Fewer than two stops, or no step.
    """
    if len(stops) < 2 or steps < 1:
        raise UserError("a walk needs at least 2 stops and 1 step between them")
    shares = torch.arange(steps, device=stops.device, dtype=stops.dtype) / steps
    following = torch.cat([stops[1:], stops[:1]]) if loop else stops[1:]
    parts = []
    for start, end in zip(stops, following):
        if way == "spherical":
            parts.append(slerp(start, end, shares))
        else:
            t = shares.view(-1, *[1] * start.ndim)
            parts.append(start + t * (end - start))
    return torch.cat(parts if loop else [*parts, stops[-1:]])
