"""The generator of FastGAN, light enough for few images and short trainings.

Liu, Zhu, Song and Elgammal 2021, "Towards Faster and Stabilized GAN Training for High-Fidelity
Few-Shot Image Synthesis", arXiv:2101.04775, section 3.1 and appendix: a code becomes a 4x4 map by
a transposed convolution; blocks double it, with batch normalisation and gated linear units
(Dauphin et al. 2017), every second one with two convolutions and added noise; skip-layer
excitation scales the features of a large map by those of a small one.

Deviations: no spectral normalisation, whose factor the batch normalisation behind each
convolution takes out again; noise is kept fixed outside training, so that a code has one image.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import glu, interpolate

from zerosum.layers.pyramid import doublings

MULTIPLES = (16, 8, 4, 2, 2, 1, 1 / 2, 1 / 4, 1 / 8)
"""Feature maps at the start and after each doubling, in multiples of the width: of 4, 8, ...,
1024 pixels in the authors' code."""
REACH = 4
"""Doublings between the two maps that an excitation joins: 4 and 64 pixels, 8 and 128, ..."""


class Noise(nn.Module):
    """Adds noise, one number at each place for all maps, times a learned strength that begins at
    0: new numbers in training, the same ones otherwise.

    Karras, Laine and Aila 2019, arXiv:1812.04948, section 2.
    """

    kept: Tensor

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(1))
        self.register_buffer("kept", torch.randn(1, 1, *size))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, features, H, W) to maps."""
        if not self.training:
            return x + self.strength * self.kept
        noise = torch.randn(len(x), 1, *x.shape[2:], device=x.device, dtype=x.dtype)
        return x + self.strength * noise


class Gated(nn.Module):
    """Convolution, noise where there is some, batch normalisation, and half of the maps gated by
    the other half."""

    def __init__(self, before: int, after: int, noise: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, 2 * after, 3, padding=1, bias=False)
        self.noise = nn.Identity() if noise is None else noise
        self.norm = nn.BatchNorm2d(2 * after)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, before, H, W) to maps (B, after, H, W)."""
        return glu(self.norm(self.noise(self.conv(x))), dim=1)


class UpBlock(nn.Module):
    """Doubles a map: one gated convolution, or two with noise."""

    def __init__(self, before: int, after: int, size: tuple[int, int], *, noisy: bool) -> None:
        """Build the layers.

        Args:
            before: Feature maps in.
            after: Feature maps out.
            size: (height, width) out.
            noisy: Whether noise is added, and a second convolution follows.
        """
        super().__init__()
        self.first = Gated(before, after, Noise(size) if noisy else None)
        self.second = Gated(after, after, Noise(size)) if noisy else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, before, H, W) to maps (B, after, 2H, 2W)."""
        return self.second(self.first(interpolate(x, scale_factor=2.0)))


class Excitation(nn.Module):
    """Factors in (0, 1) of a large map's features, from a small map (section 3.1, eq. 1)."""

    def __init__(self, small: int, large: int) -> None:
        super().__init__()
        self.factors = nn.Sequential(
            nn.AdaptiveAvgPool2d(4),
            nn.Conv2d(small, large, 4, bias=False),
            nn.LeakyReLU(0.1),
            nn.Conv2d(large, large, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, small: Tensor, large: Tensor) -> Tensor:
        """Maps (B, small, h, w) and (B, large, H, W) to maps (B, large, H, W)."""
        return large * self.factors(small)


class Generator(nn.Module):
    """Codes (B, latent) to images in [-1, 1].

    Sizes that are no power of two begin at another grid than 4x4: 28 pixels at 7x7. Excitations
    reach four doublings up, and in images of fewer from the first map to the last.
    """

    def __init__(self, latent: int, width: int, channels: int, size: tuple[int, int]) -> None:
        """Build the layers.

        Args:
            latent: Numbers in a code.
            width: Feature maps after the fifth doubling (128 pixels); see `MULTIPLES`.
            channels: Colour channels.
            size: (height, width) in pixels.

        Raises:
            UserError: The size is not reached by doubling a small grid.
        """
        super().__init__()
        grid, levels = doublings(size)
        features = [
            max(int(width * MULTIPLES[min(i, len(MULTIPLES) - 1)]), 4) for i in range(levels + 1)
        ]
        self.start = nn.ConvTranspose2d(latent, 2 * features[0], grid, bias=False)
        self.norm = nn.BatchNorm2d(2 * features[0])
        self.blocks = nn.ModuleList(
            UpBlock(
                features[i],
                features[i + 1],
                (grid[0] * 2 ** (i + 1), grid[1] * 2 ** (i + 1)),
                noisy=i % 2 == 0,
            )
            for i in range(levels)
        )
        self.reach = min(REACH, levels)
        self.excitations = nn.ModuleList(
            Excitation(features[i], features[i + self.reach])
            for i in range(levels + 1 - self.reach)
        )
        self.last = nn.Conv2d(features[-1], channels, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, 0.0, 0.02)

    def forward(self, z: Tensor) -> Tensor:
        """Codes (B, latent) to images (B, channels, H, W)."""
        maps = [glu(self.norm(self.start(z[:, :, None, None])), dim=1)]
        for i, block in enumerate(self.blocks):
            x = block(maps[-1])
            below = i + 1 - self.reach
            maps.append(x if below < 0 else self.excitations[below](maps[below], x))
        return torch.tanh(self.last(maps[-1]))
