"""The convolutional pair of DCGAN, which a dozen later papers share.

Radford, Metz and Chintala 2015, arXiv:1511.06434, section 3 (architecture) and section 4
(initial weights).
"""

from __future__ import annotations

import itertools

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
        norm: Norm = nn.BatchNorm2d,
    ) -> None:
        grid, levels = doublings(size)
        features = [width * 2**i for i in reversed(range(levels))]
        layers: list[nn.Module] = [
            nn.Unflatten(1, (latent, 1, 1)),
            nn.ConvTranspose2d(latent, features[0], grid, bias=False),
        ]
        for wide, narrow in itertools.pairwise(features):
            layers += [norm(wide), nn.ReLU()]
            layers.append(nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False))
        layers += [norm(width), nn.ReLU(), nn.ConvTranspose2d(width, channels, 4, 2, 1)]
        super().__init__(*layers, nn.Tanh())
        self.apply(initialise)


class Trunk(nn.Sequential):
    """Images (B, channels, H, W) to features (B, self.features, *self.grid).

    Attributes:
        features: Feature maps at the end.
        grid: (height, width) at the end.
    """

    def __init__(
        self, width: int, channels: int, size: tuple[int, int], norm: Norm | None = nn.BatchNorm2d
    ) -> None:
        """Build the layers.

        Args:
            width: Feature maps after the first halving; doubled at each level below.
            channels: Colour channels.
            size: (height, width) in pixels.
            norm: Normalisation of all layers but the first; None for none, with biases instead.
        """
        self.grid, levels = doublings(size)
        layers, self.features = halvings(width, channels, levels, norm)
        super().__init__(*layers)
        self.apply(initialise)


class Discriminator(nn.Sequential):
    """Images (B, channels, H, W) to logits (B,)."""

    def __init__(
        self, width: int, channels: int, size: tuple[int, int], norm: Norm | None = nn.BatchNorm2d
    ) -> None:
        """Build the layers, as `Trunk` does, and one score of what they see."""
        grid, levels = doublings(size)
        layers, features = halvings(width, channels, levels, norm)
        super().__init__(*layers, nn.Conv2d(features, 1, grid), nn.Flatten(0))
        self.apply(initialise)


def halvings(
    width: int, channels: int, levels: int, norm: Norm | None
) -> tuple[list[nn.Module], int]:
    """Strided convolutions, each halving the image and doubling the feature maps.

    An image with room for one of them (8 pixels) gets a 3x3 convolution after it: two layers in
    all tell too little apart.

    Returns:
        The layers, and how many feature maps they end with.
    """
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    steps = [(4, 2)] * (levels - 1) or [(3, 1)]
    for kernel, stride in steps:
        layers.append(nn.Conv2d(width, 2 * width, kernel, stride, 1, bias=norm is None))
        layers += [] if norm is None else [norm(2 * width)]
        layers.append(nn.LeakyReLU(0.2))
        width *= 2
    return layers, width


def initialise(module: nn.Module) -> None:
    """Weights N(0, 0.02), normalisation gains N(1, 0.02) (section 4)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
