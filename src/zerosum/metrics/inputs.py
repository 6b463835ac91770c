"""The gate every metric's input passes: right shape, enough samples, finite numbers."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from zerosum.errors import UserError

Array: TypeAlias = Tensor | np.ndarray
"""What metrics accept: torch tensors and numpy arrays."""


def checked(values: Array, name: str, *, rows: int = 2, rank: int = 2) -> Tensor:
    """Give `values` as a tensor of floating numbers, or say what is wrong with them.

    The precision stays as it came: the metrics turn to float64 block by block, so that a large
    float32 set is never held twice.

    Args:
        values: Samples along the first axis, shape (N, ...).
        name: What to call them in the message.
        rows: The fewest samples that will do.
        rank: Number of axes: 2 for features (N, d), 4 for images (N, C, H, W).

    Raises:
        UserError: Wrong number of axes, too few samples, an empty axis, complex or non-finite
            numbers.
    """
    tensor = torch.as_tensor(values).detach()
    if tensor.ndim != rank:
        axes = {1: "(N,)", 2: "(N, d)", 4: "(N, C, H, W)"}[rank]
        raise UserError(f"{name} has shape {tuple(tensor.shape)}: reshape it to {axes}")
    if tensor.shape[0] < rows:
        raise UserError(f"{name} has {tensor.shape[0]} samples: give at least {rows}")
    if tensor.numel() == 0:
        raise UserError(f"{name} has shape {tuple(tensor.shape)}: it holds no numbers")
    if tensor.is_complex():
        raise UserError(f"{name} is complex: give real numbers, for example its modulus")
    if not tensor.is_floating_point():
        return tensor.double()
    if not all(bool(torch.isfinite(block).all()) for block in tensor.split(8192)):
        raise UserError(f"{name} holds NaN or infinity: drop those samples and find their cause")
    return tensor


def checked_pair(real: Array, fake: Array, *, rows: int = 2) -> tuple[Tensor, Tensor]:
    """Check two feature sets and that they have the same dimension and device.

    Raises:
        UserError: As for `checked`, or the sets do not match.
    """
    first, second = checked(real, "real", rows=rows), checked(fake, "fake", rows=rows)
    matched(first, second, "fake")
    return first, second


def matched(real: Tensor, other: Tensor, name: str) -> None:
    """Check that `other`, called `name`, can be compared with `real`.

    Raises:
        UserError: The dimensions or the devices differ.
    """
    if real.shape[1:] != other.shape[1:]:
        raise UserError(
            f"real has {tuple(real.shape[1:])} numbers a sample and {name} has"
            f" {tuple(other.shape[1:])}: use the same extractor for both"
        )
    if real.device != other.device:
        raise UserError(
            f"real is on {real.device} and {name} on {other.device}: move both to one device"
        )


def at_least(value: int, least: int, name: str) -> None:
    """Check a whole-number setting.

    Raises:
        UserError: `value` is below `least`.
    """
    if value < least:
        raise UserError(f"{name} is {value}: set it to {least} or more")


def generator(rng: torch.Generator | None) -> torch.Generator:
    """The caller's generator, or a fresh one seeded with 0; never the global one.

    Random numbers are drawn on the CPU, so that a seed means the same on every device.

    Raises:
        UserError: The generator lives on another device than the CPU.
    """
    if rng is None:
        return torch.Generator().manual_seed(0)
    if rng.device.type != "cpu":
        raise UserError(f"rng lives on {rng.device}: give a CPU generator, torch.Generator()")
    return rng
