"""From small pictures to large ones, and critics of large ones: SRGAN's and Real-ESRGAN's.

Ledig et al. 2017, "Photo-realistic single image super-resolution using a generative adversarial
network", arXiv:1609.04802, figure 4; Wang, Xie, Dong and Shan 2021, "Real-ESRGAN",
arXiv:2107.10833, figure 6. The generators of ESRGAN and Real-ESRGAN are in `nets.rrdb`.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from zerosum.layers.spectral import spectral_norm

STEPS = {2: (2,), 3: (3,), 4: (2, 2)}
"""By which factors a picture grows, one after the other, to be so many times larger."""
HALVED = 8
"""Sides that `UNetCritic` judges are multiples of this."""
LARGE = 9
"""Side of the first and of the last convolution of SRResNet."""


class SRResNet(nn.Module):
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
        blocks: int = 16,
        batch: bool = True,
        base: bool = False,
    ) -> None:
        """Build the layers.

        Args:
            channels: Of the pictures.
            scale: 2, 3 or 4.
            width: Feature maps.
            blocks: Residual ones.
            batch: Whether they are normalised by the batch, as the paper's are.
            base: Whether the answer is what the layers add to the picture enlarged; else a
                hyperbolic tangent bounds it.
        """
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(channels, width, LARGE, 1, LARGE // 2), nn.PReLU())
        self.blocks = nn.Sequential(*(_Residual(width, batch) for _ in range(blocks)))
        norm = nn.BatchNorm2d(width) if batch else nn.Identity()
        self.joint = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=not batch), norm)
        self.up = nn.Sequential(*(_Shuffled(width, factor) for factor in STEPS[scale]))
        self.last = nn.Conv2d(width, channels, LARGE, 1, LARGE // 2)
        self.base = base
        if base:
            start_at_zero(self.last)
        ups = [1] * len(STEPS[scale])
        reach = LARGE // 2 + 2 * blocks + 1
        self.radius = reach + grown_reach(STEPS[scale], ups=ups, last=LARGE // 2)

    def forward(self, pictures: Tensor) -> Tensor:
        begun = self.first(pictures)
        made = self.last(self.up(begun + self.joint(self.blocks(begun))))
        return made + enlarged(pictures, made) if self.base else torch.tanh(made)


def enlarged(pictures: Tensor, large: Tensor) -> Tensor:
    """Pictures (B, C, H, W) of the height and width of others, by bicubic interpolation."""
    size = (large.shape[2], large.shape[3])
    return interpolate(pictures, size, mode="bicubic", align_corners=False)


def start_at_zero(layer: nn.Conv2d) -> None:
    """Let a layer's answer be 0 until it learns."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def grown_reach(factors: tuple[int, ...], *, ups: list[int], last: int) -> int:
    """Pixels of the small picture that the layers of a growing network reach to one side.

    Args:
        factors: By which it grows, one after the other.
        ups: Reach of the convolutions before each growth, in pixels of the size they see.
        last: Reach of those after the last growth.
    """
    reach, size = 0.0, 1
    for factor, before in zip(factors, ups, strict=True):
        reach += before / size
        size *= factor
    return math.ceil(reach + last / size + 1)  # a pixel, as growth rounds to one


class _Residual(nn.Module):
    def __init__(self, width: int, batch: bool) -> None:
        super().__init__()

        def layer() -> list[nn.Module]:
            norm = [nn.BatchNorm2d(width)] if batch else []
            return [nn.Conv2d(width, width, 3, 1, 1, bias=not batch), *norm]

        self.layers = nn.Sequential(*layer(), nn.PReLU(), *layer())

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.layers(maps)


class _Shuffled(nn.Sequential):
    """Maps of a factor^2 as many channels, laid out as pixels (Shi et al. 2016)."""

    def __init__(self, width: int, factor: int) -> None:
        convolution = nn.Conv2d(width, width * factor**2, 3, 1, 1)
        super().__init__(convolution, nn.PixelShuffle(factor), nn.PReLU())


class PictureCritic(nn.Module):
    """Pictures (B, C, H, W) to one logit each, (B,): convolutions in pairs, the second halves.

    The paper's last maps are joined by dense layers, which fit one size only; here their mean is,
    so that any size is judged.
    """

    def __init__(self, channels: int, *, width: int = 64, halvings: int = 4) -> None:
        """Build the layers.

        Args:
            channels: Of the pictures.
            width: Feature maps of the first layer; doubled at each halving but the first, up to 8
                times.
            halvings: How often a picture is halved.
        """
        super().__init__()
        widths = [width * min(2**level, 8) for level in range(halvings)]
        layers: list[nn.Module] = []
        for before, after in zip([channels, *widths], widths):
            norm = [nn.BatchNorm2d(after)] if layers else []
            layers += [nn.Conv2d(before, after, 3, 1, 1), *norm, nn.LeakyReLU(0.2)]
            layers += [nn.Conv2d(after, after, 3, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
        self.maps = nn.Sequential(*layers)
        wide = 16 * width
        self.judged = nn.Sequential(
            nn.Linear(widths[-1], wide), nn.LeakyReLU(0.2), nn.Linear(wide, 1)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        return self.judged(self.maps(pictures).mean((2, 3))).flatten()


class UNetCritic(nn.Module):
    """Pictures (B, C, H, W) to a logit for each pixel, (B, 1, H, W): Real-ESRGAN's.

    Three halvings, three doublings that are added to the maps of their size, and spectral
    normalisation of all but the first and the last convolution.
    """

    def __init__(self, channels: int, *, width: int = 64) -> None:
        """Build the layers.

        Args:
            channels: Of the pictures, whose sides are multiples of 8.
            width: Feature maps of the first layer; doubled at each halving.
        """
        super().__init__()
        widths = [width * 2**level for level in range(4)]
        self.first = nn.Conv2d(channels, width, 3, 1, 1)
        self.down = nn.ModuleList(
            spectral_norm(nn.Conv2d(narrow, wide, 4, 2, 1, bias=False))
            for narrow, wide in itertools.pairwise(widths)
        )
        self.up = nn.ModuleList(
            spectral_norm(nn.Conv2d(wide, narrow, 3, 1, 1, bias=False))
            for wide, narrow in itertools.pairwise(widths[::-1])
        )
        self.last = nn.Sequential(
            *(
                part
                for _ in range(2)
                for part in (
                    spectral_norm(nn.Conv2d(width, width, 3, 1, 1, bias=False)),
                    nn.LeakyReLU(0.2),
                )
            ),
            nn.Conv2d(width, 1, 3, 1, 1),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        maps = leaky_relu(self.first(pictures), 0.2)
        skips = []
        for layer in self.down:
            skips.append(maps)
            maps = leaky_relu(layer(maps), 0.2)
        for layer in self.up:
            large = interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
            maps = leaky_relu(layer(large), 0.2) + skips.pop()
        return self.last(maps)
