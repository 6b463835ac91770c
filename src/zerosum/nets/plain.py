"""Convolutional pair for small images: DCGAN's halvings, with one more layer at the smallest grid.

Ours. DCGAN's rules give an 8x8 image a discriminator of two layers, which tells too little apart;
a 3x3 convolution at the smallest grid cures that. Normalisation is a choice, none by default, and
the weights start as PyTorch's do.
"""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from zerosum.layers.norm import Norm
from zerosum.layers.pyramid import doublings


class Generator(nn.Sequential):
    """Codes (B, latent) to images (B, channels, H, W) in [-1, 1]."""

    def __init__(
        self,
        latent: int,
        width: int,
        channels: int,
        size: tuple[int, int],
        norm: Norm | None = None,
        final: nn.Module | None = None,
    ) -> None:
        """Build the layers.

        Args:
            latent: Numbers in a code.
            width: Feature maps at half the image's size; doubled at each level below, to 8 times.
            channels: Channels of the image.
            size: (height, width) in pixels.
            norm: Normalisation of all layers but the last; None for none.
            final: What follows the last convolution, a tanh when None.
        """
        grid, levels = doublings(size)
        maps = _maps(width, levels)[::-1]
        start = 2 * maps[0]
        layers: list[nn.Module] = [
            nn.Linear(latent, start * grid[0] * grid[1]),
            nn.Unflatten(1, (start, *grid)),
            *_active(start, norm),
            nn.Conv2d(start, maps[0], 3, 1, 1),
            *_active(maps[0], norm),
        ]
        for before, after in pairwise(maps):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), *_active(after, norm)]
        layers += [nn.ConvTranspose2d(width, channels, 4, 2, 1), final or nn.Tanh()]
        super().__init__(*layers)


class Trunk(nn.Sequential):
    """Images (B, channels, H, W) to features (B, self.features).

    Attributes:
        features: Numbers that stand for an image.
    """

    def __init__(
        self, width: int, channels: int, size: tuple[int, int], norm: Norm | None = None
    ) -> None:
        """Build the layers.

        Args:
            width: Feature maps after the first halving; doubled at each level below, to 8 times.
            channels: Channels of the image.
            size: (height, width) in pixels.
            norm: Normalisation of all layers but the first; None for none.
        """
        grid, levels = doublings(size)
        maps = _maps(width, levels)
        end = 2 * maps[-1]
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for before, after in pairwise(maps):
            layers += [nn.Conv2d(before, after, 4, 2, 1), *_active(after, norm)]
        layers += [nn.Conv2d(maps[-1], end, 3, 1, 1), *_active(end, norm), nn.Flatten()]
        super().__init__(*layers)
        self.features = end * grid[0] * grid[1]


class Discriminator(nn.Sequential):
    """Images (B, channels, H, W) to logits (B,): a `Trunk` and one linear score."""

    def __init__(
        self, width: int, channels: int, size: tuple[int, int], norm: Norm | None = None
    ) -> None:
        """Build the layers; arguments as for `Trunk`."""
        trunk = Trunk(width, channels, size, norm)
        super().__init__(trunk, nn.Linear(trunk.features, 1), nn.Flatten(0))


def _maps(width: int, levels: int, most: int = 8) -> list[int]:
    """Feature maps of each level, from the largest grid to the smallest."""
    return [width * min(2**level, most) for level in range(levels)]


def _active(features: int, norm: Norm | None) -> list[nn.Module]:
    activation = nn.LeakyReLU(0.2)
    return [activation] if norm is None else [norm(features), activation]
