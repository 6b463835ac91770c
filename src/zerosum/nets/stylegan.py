"""StyleGAN's generator: a constant that styles and noise turn into an image, growing.

Karras, Laine and Aila 2019, "A Style-Based Generator Architecture for Generative Adversarial
Networks", arXiv:1812.04948, section 2 and figure 1b: after each convolution noise with a learned
strength per map, then instance normalisation whose gain and bias a style gives (AdaIN, Huang and
Belongie 2017); enlarged maps are filtered with [1, 2, 1] (configuration B of table 1).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import instance_norm, leaky_relu

from zerosum.layers.active import Dense
from zerosum.layers.equalised import EqualisedConv2d
from zerosum.layers.resample import filtered, fir
from zerosum.nets.growing import doubled, share_of

Noise = Literal["const", "random", "none"]
BINOMIAL = (1.0, 2.0, 1.0)


class Styled(nn.Module):
    """Noise, bias, leaky ReLU, and AdaIN by a style: what follows a convolution."""

    noise: Tensor

    def __init__(self, features: int, width: int, size: tuple[int, int]) -> None:
        """Build the layer for maps of a size; `width` is that of a style."""
        super().__init__()
        self.style = Dense(width, 2 * features)
        self.strength = nn.Parameter(torch.zeros(features, 1, 1))
        self.bias = nn.Parameter(torch.zeros(features, 1, 1))
        self.register_buffer("noise", torch.randn(size))

    def forward(self, x: Tensor, style: Tensor, noise: Noise) -> Tensor:
        """Maps (B, features, H, W) under styles (B, width), to maps."""
        if noise != "none":
            new = noise == "random"
            told = torch.randn(x.shape[0], 1, *x.shape[2:], device=x.device) if new else self.noise
            x = x + self.strength * told
        x = instance_norm(leaky_relu(x + self.bias, 0.2), eps=1e-8)
        gain, bias = self.style(style)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(bias, x, 1 + gain)


class Block(nn.Module):
    """One level: maps doubled and filtered, two convolutions; the first level has a constant."""

    taps: Tensor

    def __init__(self, inputs: int, outputs: int, width: int, size: tuple[int, int]) -> None:
        """Build the block.

        Args:
            inputs: Maps that come in; 0 for the first level.
            outputs: Maps that go out.
            width: Numbers in a style.
            size: (height, width) of what goes out.
        """
        super().__init__()
        if inputs == 0:
            self.start = nn.Parameter(torch.ones(outputs, *size))
        self.enlarge = (
            EqualisedConv2d(inputs, outputs, 3, padding=1, bias=False) if inputs else None
        )
        self.first = Styled(outputs, width, size)
        self.refine = EqualisedConv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second = Styled(outputs, width, size)
        self.register_buffer("taps", fir(BINOMIAL), persistent=False)

    def forward(self, x: Tensor | None, styles: Tensor, noise: Noise) -> Tensor:
        """Maps of the level below, styles (B, 2, width), to maps (B, outputs, H, W)."""
        if x is None or self.enlarge is None:
            maps = self.start.expand(styles.shape[0], -1, -1, -1)
        else:
            maps = filtered(self.enlarge(doubled(x, 1)), self.taps)
        maps = self.first(maps, styles[:, 0], noise)
        return self.second(self.refine(maps), styles[:, 1], noise)


class Synthesis(nn.Module):
    """Styles (B, copies, width) to images (B, channels, h, w) of the level it has grown to.

    Attributes:
        level: The level, a buffer, so that checkpoints and exports carry it.
        copies: Styles that it takes at full size, two per level.
    """

    level: Tensor

    def __init__(self, width: int, channels: int, grid: tuple[int, int], maps: list[int]) -> None:
        """Build the layers.

        Args:
            width: Numbers in a style.
            channels: Colour channels.
            grid: (height, width) of level 0.
            maps: Feature maps of each level.
        """
        super().__init__()
        self.register_buffer("level", torch.tensor(float(len(maps) - 1)))
        ways = [0, *maps]
        self.blocks = nn.ModuleList(
            Block(ways[k], maps[k], width, (grid[0] * 2**k, grid[1] * 2**k))
            for k in range(len(maps))
        )
        self.colours = nn.ModuleList(EqualisedConv2d(m, channels, 1, gain=1.0) for m in maps)
        self.copies = 2 * len(maps)
        # The buffer is what is stored; a plain number is what an exported graph can branch on.
        self.now = float(len(maps) - 1)
        self.register_load_state_dict_post_hook(lambda *_: self.grow(float(self.level)))

    def grow(self, level: float) -> None:
        """Set the level."""
        self.level.fill_(level)
        self.now = level

    @property
    def used(self) -> int:
        """Styles that the level of now takes."""
        return 2 * (math.ceil(self.now) + 1)

    def forward(self, styles: Tensor, noise: Noise = "const") -> Tensor:
        level, top = self.now, math.ceil(self.now)
        x, image = None, None
        for k in range(top + 1):
            x = self.blocks[k](x, styles[:, 2 * k : 2 * k + 2], noise)
            # Levels without a share keep a gradient, if a zero one: small maps cost little.
            shown = share_of(level, k) * doubled(self.colours[k](x), top - k)
            image = shown if image is None else image + shown
        assert image is not None
        return image

    def style_weights(self) -> list[Tensor]:
        """For each style, the weights (numbers, width) of the layer that it tells."""
        found: list[Tensor] = []
        for block in self.blocks:
            assert isinstance(block, Block)
            found += [block.first.style.weight, block.second.style.weight]
        return found
