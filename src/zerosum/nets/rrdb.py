"""Residual in residual dense blocks: the generator of ESRGAN and Real-ESRGAN.

Wang et al. 2018, "ESRGAN: enhanced super-resolution generative adversarial networks",
arXiv:1809.00219, section 3.1 and figure 4; Real-ESRGAN (arXiv:2107.10833, section 3.1) shares it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from zerosum.nets.upscale import STEPS, enlarged, grown_reach, start_at_zero

SHARE = 0.2
"""Of a block's change that is added to what came in (section 3.1, residual scaling)."""
SMALL = 0.1
"""By which initial weights of the dense blocks are multiplied (section 3.1)."""


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees all maps before it."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(width + number * growth, growth if number < 4 else width, 3, 1, 1)
            for number in range(5)
        )
        for layer in self.layers:
            assert isinstance(layer, nn.Conv2d) and layer.bias is not None
            nn.init.kaiming_normal_(layer.weight)
            layer.weight.data *= SMALL
            nn.init.zeros_(layer.bias)

    def forward(self, maps: Tensor) -> Tensor:
        seen = maps
        for layer in self.layers[:-1]:
            seen = torch.cat([seen, leaky_relu(layer(seen), 0.2)], dim=1)
        return maps + SHARE * self.layers[-1](seen)


class RRDB(nn.Module):
    """Three dense blocks, whose change is added to what came in."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DenseBlock(width, growth) for _ in range(3)))

    def forward(self, maps: Tensor) -> Tensor:
        return maps + SHARE * self.blocks(maps)


class RRDBNet(nn.Module):
    """Pictures (B, C, H, W) to pictures (B, C, H scale, W scale), in [-1, 1] both.

    Attributes:
        radius: Pixels of the input, to each side, that can change one of the output.
    """

    def __init__(
        self,
        channels: int,
        *,
        scale: int,
        width: int = 64,
        blocks: int = 23,
        growth: int = 32,
        base: bool = False,
    ) -> None:
        """Build the layers.

        Args:
            channels: Of the pictures.
            scale: 2, 3 or 4.
            width: Feature maps between the blocks.
            blocks: RRDBs.
            growth: Feature maps that each layer of a dense block adds.
            base: Whether the answer is what the layers add to the picture enlarged.
        """
        super().__init__()
        self.factors = STEPS[scale]
        self.first = nn.Conv2d(channels, width, 3, 1, 1)
        self.blocks = nn.Sequential(*(RRDB(width, growth) for _ in range(blocks)))
        self.joint = nn.Conv2d(width, width, 3, 1, 1)
        self.up = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1) for _ in self.factors)
        self.wide = nn.Conv2d(width, width, 3, 1, 1)
        self.last = nn.Conv2d(width, channels, 3, 1, 1)
        self.base = base
        if base:
            start_at_zero(self.last)
        # A growth is followed by its convolution; the first one has none before it.
        after = [0] + [1] * (len(self.factors) - 1)
        self.radius = 2 + 15 * blocks + grown_reach(self.factors, ups=after, last=3)

    def forward(self, pictures: Tensor) -> Tensor:
        begun = self.first(pictures)
        maps = begun + self.joint(self.blocks(begun))
        for factor, layer in zip(self.factors, self.up):
            maps = leaky_relu(layer(interpolate(maps, scale_factor=factor)), 0.2)
        made = self.last(leaky_relu(self.wide(maps), 0.2))
        return made + enlarged(pictures, made) if self.base else made
