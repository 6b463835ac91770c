"""From label maps to pictures: the generator and the image encoder of SPADE.

Park, Liu, Wang and Zhu 2019, "Semantic image synthesis with spatially-adaptive normalization",
arXiv:1903.07291, section 3 and appendix A.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from zerosum.layers.spade import SPADE, Statistics
from zerosum.layers.spectral import spectral_norm

WIDEST = 16
"""Feature maps of the first layers, in those at full size."""
SMALLEST = 4
"""Pixels of the shorter side at which a generator begins (appendix A)."""
MOST_DOUBLINGS = 6
"""Of the paper's generator, for 256 pixels."""


def doublings(size: tuple[int, int], asked: int = 0) -> int:
    """How often the maps are doubled up to a size.

    Args:
        size: (height, width).
        asked: So often; 0 takes as often as the size allows, from 4 pixels on, 6 times at most.
    """
    possible = 0
    while possible < MOST_DOUBLINGS:
        step = 2 ** (possible + 1)
        if any(side % step or side // step < SMALLEST for side in size):
            break
        possible += 1
    return asked or possible


class SPADEBlock(nn.Module):
    """Two normalised 3x3 convolutions around a shortcut, normalised too where it changes width."""

    def __init__(
        self, before: int, after: int, classes: int, *, hidden: int, norm: Statistics
    ) -> None:
        super().__init__()
        middle = min(before, after)

        def spade(features: int) -> SPADE:
            return SPADE(features, classes, hidden=hidden, norm=norm)

        self.norms = nn.ModuleList([spade(before), spade(middle)])
        self.convolutions = nn.ModuleList(
            [
                spectral_norm(nn.Conv2d(before, middle, 3, padding=1)),
                spectral_norm(nn.Conv2d(middle, after, 3, padding=1)),
            ]
        )
        self.shortcut = None
        if before != after:
            self.shortcut = spectral_norm(nn.Conv2d(before, after, 1, bias=False))
            self.norms.append(spade(before))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Maps (B, before, H, W) under one-hot label maps, to maps (B, after, H, W)."""
        short = x if self.shortcut is None else self.shortcut(self.norms[2](x, labels))
        for norm, convolution in zip(self.norms, self.convolutions):
            x = convolution(leaky_relu(norm(x, labels), 0.2))
        return short + x


class SPADEGenerator(nn.Module):
    """One-hot label maps (B, classes, H, W), and codes where it has them, to pictures in [-1, 1].

    Attributes:
        step: Sides must be multiples of it.
        latent: Numbers of a code; 0 where it begins with the label map itself.
    """

    def __init__(
        self,
        classes: int,
        channels: int,
        size: tuple[int, int],
        *,
        width: int = 64,
        hidden: int = 128,
        latent: int = 0,
        norm: Statistics = "batch",
        levels: int = 0,
    ) -> None:
        """Build the layers.

        Args:
            classes: Of the label maps.
            channels: Of the pictures.
            size: (height, width) that it is trained at.
            width: Feature maps at full size; doubled at each halving, up to 16 times.
            hidden: Feature maps within a normalisation.
            latent: Numbers of a code; 0 begins with the label map made small.
            norm: Which statistics.
            levels: How often the maps are doubled; 0: as the size allows.
        """
        super().__init__()
        levels = doublings(size, levels)
        self.step, self.latent = 2**levels, latent
        self.base = (size[0] // self.step, size[1] // self.step)
        widths = [width * min(2 ** (levels - level), WIDEST) for level in range(levels + 1)]
        first = widths[0]
        self.begin = (
            nn.Linear(latent, first * self.base[0] * self.base[1])
            if latent
            else nn.Conv2d(classes, first, 3, padding=1)
        )
        pairs = zip([first, *widths], widths)
        self.blocks = nn.ModuleList(
            SPADEBlock(before, after, classes, hidden=hidden, norm=norm) for before, after in pairs
        )
        self.last = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, labels: Tensor, code: Tensor | None = None) -> Tensor:
        """Pictures (B, channels, H, W).

        Args:
            labels: (B, classes, H, W), sides multiples of `step`.
            code: (B, latent), where it has one.
        """
        size = (labels.shape[2] // self.step, labels.shape[3] // self.step)
        if code is None:
            x = self.begin(interpolate(labels, size, mode="nearest"))
        else:
            x = self.begin(code).unflatten(1, (-1, *self.base))
            if size != self.base:
                x = interpolate(x, size, mode="nearest")
        for number, block in enumerate(self.blocks):
            x = block(interpolate(x, scale_factor=2.0) if number else x, labels)
        return torch.tanh(self.last(leaky_relu(x, 0.2)))


class ImageEncoder(nn.Module):
    """Pictures (B, channels, H, W) to means and log variances (B, latent) of their style.

    Appendix A: 3x3 convolutions of stride 2 with instance normalisation down to 4x4, then two
    linear layers.
    """

    def __init__(
        self, channels: int, size: tuple[int, int], *, width: int = 64, latent: int = 256
    ) -> None:
        super().__init__()
        levels = doublings(size)
        layers: list[nn.Module] = []
        widths = [width * min(2**level, 8) for level in range(levels)]
        for before, after in zip([channels, *widths], widths):
            convolution = spectral_norm(nn.Conv2d(before, after, 3, 2, 1, bias=False))
            layers += [convolution, nn.InstanceNorm2d(after, affine=True), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        step = 2**levels
        features = (widths[-1] if widths else channels) * (size[0] // step) * (size[1] // step)
        self.mean, self.spread = nn.Linear(features, latent), nn.Linear(features, latent)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.layers(pictures)
        return self.mean(seen), self.spread(seen)
