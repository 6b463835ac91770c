"""The discriminator of projected GANs: small critics on the mixed features of a fixed network.

Sauer, Chitta, Müller and Geiger 2021, "Projected GANs Converge Faster", arXiv:2111.01007, section
3: features at four scales of a network that is never trained; cross-channel mixing by a random 1x1
convolution at each scale and cross-scale mixing by random 3x3 convolutions and doubling, from the
coarsest scale down to the finest, neither ever trained; and one critic with spectral normalisation
on each scale, whose logits all have about the same resolution.

Deviations: no batch normalisation in the critics, so that a logit depends on one image alone;
each critic begins with a 3x3 convolution, so that that of the coarsest scale is not linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, leaky_relu

from zerosum.layers.spectral import spectral_norm_all

STRIDES = (4, 8, 16, 32)
"""Pixels to a place of the features' maps, from the finest on."""
LITE0 = (24, 40, 112, 320)
"""Feature maps of EfficientNet-Lite0 there."""
LEAST = 32
"""Smallest side at which four scales are left."""


class RandomPyramid(nn.Module):
    """Features of a convolutional network with random weights: the ablation of learned ones.

    As many maps as EfficientNet-Lite0 has. Weights are buffers, and so in every checkpoint.
    """

    def __init__(self, widths: Sequence[int] = LITE0) -> None:
        super().__init__()
        before = 3
        for number, after in enumerate([16, *widths]):
            self.register_buffer(f"weight{number}", kaiming(after, before, 3, gain=2.0))
            before = after
        self.scales = len(widths)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 1 or 3, H, W) in [-1, 1] to maps (B, c, H / s, W / s), rounded up, of each
        stride s, from the finest on."""
        x = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        maps = []
        for number in range(self.scales + 1):
            weight = self.get_buffer(f"weight{number}").to(x.dtype)
            x = leaky_relu(conv2d(x, weight, stride=2, padding=1), 0.2)
            maps.append(x)
        return maps[1:]


class Mixing(nn.Module):
    """Random projections of the features, across channels and from coarse to fine (section 3.2).

    Both are linear and begin, as they stay, with the variance of what goes in. Weights are
    buffers, and so in every checkpoint.
    """

    def __init__(self, widths: Sequence[int] = LITE0) -> None:
        super().__init__()
        for number, width in enumerate(widths):
            self.register_buffer(f"channels{number}", kaiming(width, width, 1))
        for number, (fine, coarse) in enumerate(pairwise(widths)):
            self.register_buffer(f"scales{number}", kaiming(fine, coarse, 3))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps of each scale, from the finest on, to maps of the same shapes."""
        mixed: list[Tensor] = []
        for number in reversed(range(len(maps))):
            own = conv2d(maps[number], self._weight(f"channels{number}", maps[number]))
            if mixed:
                size = (own.shape[2], own.shape[3])
                coarse = interpolate(mixed[-1], size, mode="bilinear", align_corners=False)
                own = own + conv2d(coarse, self._weight(f"scales{number}", own), padding=1)
            mixed.append(own)
        return mixed[::-1]

    def _weight(self, name: str, like: Tensor) -> Tensor:
        return self.get_buffer(name).to(like.dtype)


class ScaleCritic(nn.Sequential):
    """Maps (B, features, h, w) of one scale to a map of logits: halved until its shorter side
    lies in [4, 8), or as it is where it is shorter."""

    def __init__(self, features: int, side: int, width: int, most: int, after: int = 1) -> None:
        """Build the layers.

        Args:
            features: Feature maps that come in.
            side: Their shorter side.
            width: Feature maps of the first layer; doubled at each halving.
            most: Largest number of feature maps.
            after: Maps that come out.
        """
        width = min(width, most)
        layers: list[nn.Module] = [nn.Conv2d(features, width, 3, padding=1), nn.LeakyReLU(0.2)]
        while side >= 8:
            wider, side = min(2 * width, most), side // 2
            layers += [nn.Conv2d(width, wider, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
            width = wider
        super().__init__(*layers, nn.Conv2d(width, after, 3, padding=1))
        spectral_norm_all(self)


class ToldCritic(nn.Module):
    """A critic that is told what the image is said to show: each place's maps times a projection
    of it (Miyato and Koyama 2018, arXiv:1802.05637, without the part that is not told)."""

    def __init__(self, features: int, side: int, width: int, most: int, told: int) -> None:
        """Build the layers: arguments as `ScaleCritic`'s, and the length of what is told."""
        super().__init__()
        self.body = ScaleCritic(features, side, width, most, width)
        self.project = nn.Linear(told, width)

    def forward(self, maps: Tensor, told: Tensor) -> Tensor:
        """Logits (B, 1, h, w) of maps (B, features, H, W) and what is told (B, told)."""
        seen = self.body(maps)
        along = self.project(told)[:, :, None, None]
        return (seen * along).sum(1, keepdim=True) / seen.shape[1] ** 0.5


class Discriminator(nn.Module):
    """Images (B, C, H, W), and what they are said to show, to four maps of logits."""

    def __init__(
        self,
        features: nn.Module,
        *,
        seen: int = 224,
        width: int = 64,
        widths: Sequence[int] = LITE0,
        told: int = 0,
    ) -> None:
        """Build the layers.

        Args:
            features: Images (B, C, H, W) in [-1, 1] to maps of each stride in `STRIDES`; its
                weights are never trained.
            seen: Pixels of the shorter side of the images that it is given, at least `LEAST`.
            width: Feature maps of the finest critic's first layer; doubled with each scale and
                each halving, up to eight times.
            widths: Feature maps that `features` gives.
            told: Length of what the critics are told of an image; 0 for nothing.
        """
        super().__init__()
        self.features, self.seen = features, seen
        self.mixing = Mixing(widths)
        self.critics = nn.ModuleList()
        for scale, (maps, stride) in enumerate(zip(widths, STRIDES, strict=True)):
            shape = (maps, -(-seen // stride), width * 2**scale, 8 * width)
            self.critics.append(ToldCritic(*shape, told) if told else ScaleCritic(*shape))

    def forward(self, images: Tensor, told: Tensor | None = None) -> list[Tensor]:
        """Logits (B, 1, h, w) of each scale, from the finest on, of images (B, C, H, W) and what
        is told of them (B, told)."""
        mixed = self.mixing(cast("list[Tensor]", self.features(self.shown(images))))
        more = () if told is None else (told,)
        return [critic(maps, *more) for critic, maps in zip(self.critics, mixed)]

    def shown(self, images: Tensor) -> Tensor:
        """Images with a shorter side of `seen` pixels, in their proportions."""
        height, width = images.shape[2:]
        short = min(height, width)
        if short == self.seen:
            return images
        size = (round(height * self.seen / short), round(width * self.seen / short))
        shrink = short > self.seen
        return interpolate(images, size, mode="bilinear", align_corners=False, antialias=shrink)


def kaiming(after: int, before: int, kernel: int, gain: float = 1.0) -> Tensor:
    """Random weights (after, before, kernel, kernel) of a convolution whose output has `gain`
    times the mean square of its input (He et al. 2015, arXiv:1502.01852; 2 before a ReLU)."""
    spread = (gain / (before * kernel**2)) ** 0.5
    return torch.randn(after, before, kernel, kernel) * spread


def joined(logits: Sequence[Tensor]) -> Tensor:
    """The logits (B, 1, h, w) of all scales side by side, (B, places)."""
    return torch.cat([one.flatten(1) for one in logits], dim=1)
