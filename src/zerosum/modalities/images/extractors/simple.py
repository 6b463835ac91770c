"""Extractors that need no weights from anywhere: raw pixels, and a random network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.modalities.images.extractors.base import (
    Extractor,
    NetworkExtractor,
    Outputs,
    resized,
    rgb,
    state_hash,
)

WIDEST = 4096
"""Pixel values above which their covariance takes longer than a person waits."""


class Pixels(Extractor):
    """The pixels themselves: blind to meaning, but free of any network's taste."""

    name = "pixels"
    filter = "none"

    def outputs(self, images: Tensor) -> Outputs:
        flat = images.flatten(1).float()
        if flat.shape[1] > WIDEST:
            raise UserError(
                f"{flat.shape[1]:,} pixel values an image are too many features: "
                "use --features random-conv or efficientnet-lite0"
            )
        return Outputs(flat, None)


class RandomConv(NetworkExtractor):
    """A convolutional network with random weights, the same for everyone.

    Random features already tell textures and shapes apart (Saxe et al. 2011, "On random weights
    and unsupervised feature learning"); they serve where no trained network fits the images.
    """

    name = "random-conv"
    filter = "antialiased bilinear to 32x32 unless of that size"
    dim = 256
    SIDE = 32
    SEED = 0

    def __init__(self) -> None:
        rng = torch.Generator().manual_seed(self.SEED)
        layers: list[nn.Module] = []
        for narrow, wide in ((3, 64), (64, 128), (128, 128)):
            conv = nn.Conv2d(narrow, wide, 3, stride=2, padding=1)
            spread = (2 / (9 * narrow)) ** 0.5
            weight = torch.randn(conv.weight.shape, generator=rng) * spread
            bias = torch.randn(wide, generator=rng) * 0.1
            conv.load_state_dict({"weight": weight, "bias": bias})
            layers += [conv, nn.LeakyReLU(0.2)]
        super().__init__(nn.Sequential(*layers))
        self.weight_hash = state_hash(self.network.state_dict())

    @torch.no_grad()
    def outputs(self, images: Tensor) -> Outputs:
        maps = self.network(resized(rgb(images, self.name).float(), self.SIDE))
        # Where a pattern is belongs to the picture too: keep the quarters of a half of the maps.
        quarters = F.adaptive_avg_pool2d(maps[:, :32], 2).flatten(1)
        mean = maps.mean((2, 3))
        return Outputs(torch.cat([mean, quarters], 1), None)
