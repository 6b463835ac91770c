"""What every feed does with a batch: its share, its way to the device."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from zerosum.data.fields import Field, finish
from zerosum.errors import UserError


def check_share(batch: int, rank: int, world: int) -> None:
    """Refuse numbers that cannot describe a share of a global batch."""
    if batch < 1:
        raise UserError(f"batch={batch}: a batch needs at least 1 sample")
    if world < 1 or not 0 <= rank < world:
        raise UserError(f"rank={rank} of world={world}: ranks count from 0 to world - 1")


def stream_numbers(step: int, *, batch: int, rank: int, world: int) -> np.ndarray:
    """Numbers (batch,) in the endless stream of what a rank gets at a step."""
    first = (step * world + rank) * batch
    return np.arange(first, first + batch, dtype=np.int64)


def deliver(
    batch: dict[str, Tensor], fields: Mapping[str, Field], device: torch.device
) -> dict[str, Tensor]:
    """Bring a raw batch to the device and finish it there: bytes travel faster than floats."""
    if device.type == "cuda":
        batch = {k: v.pin_memory().to(device, non_blocking=True) for k, v in batch.items()}
    elif device.type != "cpu":
        batch = {key: value.to(device) for key, value in batch.items()}
    return finish(batch, fields)
