"""Perceptual path length: how much the image changes along short steps in the latent space.

Karras et al. 2019, "A style-based generator architecture", section 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, at_least, checked, generator, matched
from zerosum.metrics.score import Score, around


def perceptual_path_length(
    synthesis: Callable[[Tensor], Tensor],
    distance: Callable[[Tensor, Tensor], Tensor],
    *,
    starts: Array,
    ends: Array,
    epsilon: float = 1e-4,
    whole_path: bool = False,
    trim: float = 0.01,
    batch: int = 16,
    rng: torch.Generator | None = None,
) -> Score:
    """Mean distance between images a step ε apart on the line between latents, over ε².

    Latents of the mapped space (W) make straight lines sensible. Keep the images in floating
    point: rounded to bytes, steps this small measure the rounding.

    The interval is normal for a trimmed mean, with the variance of the winsorised values.

    Args:
        synthesis: Turns latents (B, d) into images.
        distance: Perceptual distance of two batches of images, quadratic in small changes,
            shape (B,).
        starts: Latents to start from, shape (N, d).
        ends: Latents to go to, shape (N, d).
        epsilon: Length of the step as a share of the line.
        whole_path: Whether to step at a random place of the line, and not at its start.
        trim: Share of the values to leave out at either end.
        batch: Lines rendered at a time.
        rng: Source of the places; None means seed 0.

    Raises:
        UserError: Malformed or unequal latents, or settings out of range.
    """
    a, b = checked(starts, "starts"), checked(ends, "ends")
    matched(a, b, "ends")
    if len(a) != len(b):
        raise UserError(f"{len(a)} starts and {len(b)} ends: give as many of both")
    at_least(batch, 1, "batch")
    if not epsilon > 0:
        raise UserError(f"epsilon is {epsilon}: set it above 0")
    if not 0 <= trim < 0.5:
        raise UserError(f"trim is {trim}: set it in [0, 0.5)")
    places = torch.zeros(len(a), 1)
    if whole_path:
        places = torch.rand(len(a), 1, generator=generator(rng))
    places = places.to(a)
    parts = []
    with torch.no_grad():
        for start, end, t in zip(a.split(batch), b.split(batch), places.split(batch)):
            here = synthesis(torch.lerp(start, end, t))
            there = synthesis(torch.lerp(start, end, t + epsilon))
            parts.append(distance(here, there).double() / epsilon**2)
    lengths = torch.cat(parts).sort().values
    if lengths.shape != (len(a),):
        raise UserError(f"distance gave shape {tuple(lengths.shape)}: give one number a pair")
    cut = math.floor(trim * len(lengths))
    kept = lengths[cut : len(lengths) - cut]
    value = float(kept.mean())
    winsorised = lengths.clamp(kept[0], kept[-1])
    share = len(kept) / len(lengths)
    variance = float(winsorised.var()) / (share * share * len(lengths))
    return Score(value=value, interval=around(value, variance), n_fake=len(lengths), floor=0.0)
