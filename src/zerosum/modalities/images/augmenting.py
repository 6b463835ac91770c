"""What a small network learns of a class of pictures, and copies that are moved a little."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from zerosum.data.fields import Batch
from zerosum.modalities.images.referees import Recogniser, answers, taught

SHIFT = 2
"""Pixels by which copies are moved at most, in each direction."""
STEPS, WIDTH = 400, 16
"""Steps of Adam of the classifier, and maps of its first block."""


def pictures_of(batch: Batch) -> Tensor:
    """The pictures (N, C, H, W) of a batch, float32."""
    return batch["image"].float()


def shifted(pictures: Tensor, count: int, seed: int) -> Tensor:
    """Copies (count, C, H, W) of pictures (N, C, H, W), each moved by up to 2 pixels; their edges
    go on behind them."""
    rng = torch.Generator().manual_seed(seed)
    rows = torch.randint(len(pictures), (count,), generator=rng)
    moves = torch.randint(2 * SHIFT + 1, (count, 2), generator=rng).tolist()
    wide = torch.nn.functional.pad(pictures, (SHIFT,) * 4, mode="replicate")
    height, width = pictures.shape[2:]
    return torch.stack(
        [wide[row, :, y : y + height, x : x + width] for row, (y, x) in zip(rows.tolist(), moves)]
    )


def chances(
    pictures: Tensor, truth: Tensor, tested: Tensor, weight: Tensor | None, seed: int
) -> NDArray[np.float64]:
    """Probabilities (N,) that tested pictures are of the class, by a network that learned it."""
    channels, size = pictures.shape[1], (pictures.shape[2], pictures.shape[3])
    network = taught(
        lambda: Recogniser(channels, 2, size, WIDTH),
        pictures,
        truth.long(),
        lambda told, right: cross_entropy(told, right, weight),
        steps=STEPS,
        seed=seed,
    )
    return answers(network, tested).softmax(1)[:, 1].double().numpy()
