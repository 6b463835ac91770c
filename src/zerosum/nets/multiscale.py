"""Critics of patches at several scales, whose layers can be matched.

Wang et al. 2018, "High-resolution image synthesis and semantic manipulation with conditional
GANs", arXiv:1711.11585, section 3.2, and Park et al. 2019, arXiv:1903.07291, appendix A.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from zerosum.layers.spectral import spectral_norm

WIDEST = 8
"""Feature maps stop growing at so many times those of the first layer."""

Layers = list[Tensor]
"""Maps (B, c, h, w) of one critic's layers; the last ones are its logits (B, 1, h, w)."""


class LayeredPatchCritic(nn.Module):
    """A patch critic that shows its layers: `halvings` convolutions of stride 2, one of 1, logits.

    Three halvings judge patches of 70 pixels.
    """

    def __init__(self, channels: int, *, width: int, halvings: int, spectral: bool) -> None:
        super().__init__()
        strides = [2] * halvings + [1]
        widths = [width * min(2**layer, WIDEST) for layer in range(len(strides))]
        layers: list[nn.Module] = []
        for before, after, stride in zip([channels, *widths], widths, strides):
            first = not layers
            convolution = nn.Conv2d(before, after, 4, stride, 2, bias=first)
            parts: list[nn.Module] = [
                spectral_norm(convolution) if spectral and not first else convolution
            ]
            parts += [] if first else [nn.InstanceNorm2d(after)]
            layers.append(nn.Sequential(*parts, nn.LeakyReLU(0.2)))
        layers.append(nn.Conv2d(widths[-1], 1, 4, 1, 2))
        self.layers = nn.ModuleList(layers)

    def forward(self, pictures: Tensor) -> Layers:
        """All layers' maps of pictures (B, channels, H, W)."""
        found, maps = [], pictures
        for layer in self.layers:
            maps = layer(maps)
            found.append(maps)
        return found


class MultiScaleCritic(nn.Module):
    """Several critics of one form, each on pictures of half the size of those before it."""

    def __init__(
        self,
        channels: int,
        *,
        width: int = 64,
        halvings: int = 3,
        scales: int = 2,
        spectral: bool = False,
    ) -> None:
        """Build the critics.

        Args:
            channels: Of all that they see: the condition's and the picture's.
            width: Feature maps of the first layer; doubled at each, up to 8 times.
            halvings: Layers of stride 2.
            scales: How many critics.
            spectral: Whether weights are divided by their largest singular value.
        """
        super().__init__()
        self.critics = nn.ModuleList(
            LayeredPatchCritic(channels, width=width, halvings=halvings, spectral=spectral)
            for _ in range(scales)
        )

    def forward(self, pictures: Tensor) -> list[Layers]:
        """Of each critic, from the largest scale on, all layers' maps."""
        found = []
        for number, critic in enumerate(self.critics):
            if number:
                pictures = avg_pool2d(pictures, 3, 2, 1, count_include_pad=False)
            found.append(critic(pictures))
        return found


def joined(found: Sequence[Layers]) -> Tensor:
    """The logits of all scales in one row for each picture, (B, n)."""
    return torch.cat([layers[-1].flatten(1) for layers in found], dim=1)
