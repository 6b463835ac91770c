"""Layers that let a discriminator compare the samples of a batch, against mode collapse.

They work within one micro-batch. A gradient penalty through them holds the neighbours' share.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zerosum.errors import UserError


class MinibatchDiscrimination(nn.Module):
    """How close a sample is to the others, in learned projections.

    Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen 2016, "Improved Techniques for
    Training GANs", arXiv:1606.03498, section 3.2: M_i = f(x_i) T is a matrix of `kernels` rows,
    o(x_i)_b = sum_j exp(-|M_ib - M_jb|_1), where j = i counts too.
    """

    def __init__(self, features: int, kernels: int, dimension: int) -> None:
        """Build the layer.

        Args:
            features: Numbers per sample that come in.
            kernels: Numbers per sample that are added (B in the paper).
            dimension: Numbers compared for each of them (C in the paper).
        """
        super().__init__()
        self.shape = (kernels, dimension)
        self.project = nn.Linear(features, kernels * dimension, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, features) to (B, features + kernels)."""
        rows = self.project(x).unflatten(1, self.shape)
        distance = (rows[:, None] - rows[None]).abs().sum(3)
        return torch.cat([x, torch.exp(-distance).sum(1)], dim=1)


class MinibatchStddev(nn.Module):
    """The deviation within a group of samples, as additional constant feature maps.

    Karras, Aila, Laine and Lehtinen 2018, "Progressive Growing of GANs for Improved Quality,
    Stability, and Variation", arXiv:1710.10196, section 3: the standard deviation of each feature
    at each place over the group, averaged over features and places. Sample i belongs to group i
    modulo the number of groups.
    """

    def __init__(self, group: int | None = 4, features: int = 1, eps: float = 1e-8) -> None:
        """Build the layer.

        Args:
            group: Samples per group; None takes the whole batch, as the paper's text does. A
                batch that is no multiple takes the largest smaller group that divides it.
            features: Feature maps added; each averages over its share of the incoming ones.
            eps: Added to the variance before the root.
        """
        super().__init__()
        self.group, self.features, self.eps = group, features, eps

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, H, W) to maps (B, C + features, H, W).

        Raises:
            UserError: C is no multiple of `features`.
        """
        batch, channels, height, width = x.shape
        if channels % self.features:
            raise UserError(
                f"{channels} feature maps cannot be shared among {self.features} deviations"
            )
        most = min(self.group or batch, batch)
        group = next(size for size in range(most, 0, -1) if batch % size == 0)
        parts = x.reshape(group, -1, self.features, channels // self.features, height, width)
        # Written out: torch's var over the first dimension takes ten times as long on a CPU.
        variance = (parts - parts.mean(0)).square().mean(0)
        deviation = (variance + self.eps).sqrt().mean((2, 3, 4))
        maps = deviation.repeat(group, 1)[:, :, None, None].expand(-1, -1, height, width)
        return torch.cat([x, maps], dim=1)
