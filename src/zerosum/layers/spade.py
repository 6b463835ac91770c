"""Normalisation whose gain and bias depend on the place: SPADE."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import interpolate

HIDDEN = 128
"""Feature maps between a label map and its gains (Park et al. 2019, appendix A)."""

Statistics = Literal["batch", "instance"]
"""Whose mean and deviation are taken: the whole batch's, or each picture's own."""


class SPADE(nn.Module):
    """Spatially-adaptive normalisation.

    Park, Liu, Wang and Zhu 2019, arXiv:1903.07291, eq. 1: (x - mean) / deviation, times
    gain(map) plus bias(map), both made by two layers of 3x3 convolutions from the map, which is
    brought to the size of x by nearest neighbours. The gain is 1 plus what the layers make, as in
    the authors' code.
    """

    def __init__(
        self, features: int, classes: int, *, hidden: int = HIDDEN, norm: Statistics = "batch"
    ) -> None:
        """Build the layer.

        Args:
            features: Feature maps that are normalised.
            classes: Channels of the map, one for each class.
            hidden: Feature maps between.
            norm: Whose statistics.
        """
        super().__init__()
        kind = nn.BatchNorm2d if norm == "batch" else nn.InstanceNorm2d
        self.norm = kind(features, affine=False)
        self.shared = nn.Conv2d(classes, hidden, 3, padding=1)
        self.gain = nn.Conv2d(hidden, features, 3, padding=1)
        self.bias = nn.Conv2d(hidden, features, 3, padding=1)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Maps (B, features, H, W) under one-hot label maps (B, classes, h, w), to maps."""
        told = self.shared(interpolate(labels, x.shape[2:], mode="nearest")).relu()
        return self.norm(x) * (1 + self.gain(told)) + self.bias(told)
