"""Fast Fourier convolutions: layers of which a part of the maps sees the whole picture.

Chi, Jiang and Mu 2020, "Fast Fourier convolution", and Suvorov et al. 2022, "Resolution-robust
large mask inpainting with Fourier convolutions", arXiv:2109.07161, section 2.1 and figure 2.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

Pair = tuple[Tensor, Tensor]
"""Local and global maps, (B, c, H, W) and (B, g, H, W)."""


class SpectralTransform(nn.Module):
    """A 1x1 convolution of the two-dimensional Fourier transform, between two of the picture.

    What it makes of one place depends on all places: a product in the spectrum is a convolution
    as large as the picture.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        half = max(1, after // 2)
        self.first = nn.Sequential(
            nn.Conv2d(before, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU()
        )
        self.spectrum = nn.Sequential(
            nn.Conv2d(2 * half, 2 * half, 1, bias=False), nn.BatchNorm2d(2 * half), nn.ReLU()
        )
        self.last = nn.Conv2d(half, after, 1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        maps = self.first(maps)
        return self.last(maps + self._across(maps))

    def _across(self, maps: Tensor) -> Tensor:
        size = (maps.shape[2], maps.shape[3])
        # There is no half-precision transform of every size.
        waves = torch.fft.rfft2(maps.float(), norm="ortho")
        changed = self.spectrum(torch.cat([waves.real, waves.imag], dim=1)).float()
        real, imaginary = changed.chunk(2, dim=1)
        if torch.compiler.is_exporting():
            return _spelled_out(real, imaginary, size[1]).to(maps.dtype)
        waves = torch.complex(real.contiguous(), imaginary.contiguous())
        return torch.fft.irfft2(waves, s=size, norm="ortho").to(maps.dtype)


def _spelled_out(real: Tensor, imaginary: Tensor, width: int) -> Tensor:
    """`irfft2` of half a spectrum (B, c, H, width // 2 + 1), by way of the whole one.

    For files in the ONNX format: runtimes do not agree on what half a spectrum goes back to.
    """
    rest = slice(1, width - width // 2)  # what the other half repeats, conjugate, from the end

    def whole(half: Tensor, sign: int) -> Tensor:
        turned = half[..., rest].flip(2, 3)
        other = torch.cat([turned[:, :, -1:], turned[:, :, :-1]], dim=2)
        return torch.cat([half, sign * other], dim=3)

    waves = torch.complex(whole(real, 1), whole(imaginary, -1))
    return torch.fft.ifft2(waves, norm="ortho").real


class FFC(nn.Module):
    """Four ways between local and global maps; the one from global to global is spectral."""

    def __init__(self, width: int, wide: int) -> None:
        """Build the layers.

        Args:
            width: All maps, before and after.
            wide: How many of them are global.
        """
        super().__init__()
        near = width - wide

        def three(before: int, after: int) -> nn.Conv2d:
            return nn.Conv2d(before, after, 3, 1, 1, bias=False, padding_mode="reflect")

        self.near_near, self.near_wide = three(near, near), three(near, wide)
        self.wide_near, self.wide_wide = three(wide, near), SpectralTransform(wide, wide)
        self.near_norm, self.wide_norm = nn.BatchNorm2d(near), nn.BatchNorm2d(wide)

    def forward(self, maps: Pair) -> Pair:
        near, wide = maps
        return (
            torch.relu(self.near_norm(self.near_near(near) + self.wide_near(wide))),
            torch.relu(self.wide_norm(self.near_wide(near) + self.wide_wide(wide))),
        )


class FFCBlock(nn.Module):
    """Two such layers, added to what came in."""

    def __init__(self, width: int, wide: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(FFC(width, wide), FFC(width, wide))

    def forward(self, maps: Pair) -> Pair:
        near, wide = self.layers(maps)
        return maps[0] + near, maps[1] + wide


class FFCResNet(nn.Module):
    """Pictures with holes, (B, C + 1, H, W) with the mask, to whole ones (B, C, H, W) in [-1, 1].

    Attributes:
        step: Sides must be multiples of this many pixels.
    """

    def __init__(
        self,
        channels: int,
        *,
        width: int = 64,
        halvings: int = 3,
        blocks: int = 9,
        share: float = 0.75,
    ) -> None:
        """Build the layers.

        Args:
            channels: Of the pictures, without the mask.
            width: Feature maps at full size; doubled at each halving.
            halvings: How often a picture is halved.
            blocks: Residual ones, at the smallest size.
            share: Of their maps that are global.
        """
        super().__init__()
        self.step = 2**halvings
        widths = [width * 2**level for level in range(halvings + 1)]
        down: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            *_normed(nn.Conv2d(channels + 1, width, 7)),
        ]
        for narrow, much in itertools.pairwise(widths):
            down += _normed(nn.Conv2d(narrow, much, 3, 2, 1, padding_mode="reflect"))
        up: list[nn.Module] = []
        for much, narrow in itertools.pairwise(widths[::-1]):
            up += _normed(nn.ConvTranspose2d(much, narrow, 3, 2, 1, output_padding=1))
        self.down = nn.Sequential(*down)
        self.wide = round(share * widths[-1])
        self.blocks = nn.Sequential(*(FFCBlock(widths[-1], self.wide) for _ in range(blocks)))
        self.up = nn.Sequential(*up, nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7))

    def forward(self, pictures: Tensor) -> Tensor:
        maps = self.down(pictures)
        near, wide = maps.split([maps.shape[1] - self.wide, self.wide], dim=1)
        near, wide = self.blocks((near, wide))
        return torch.tanh(self.up(torch.cat([near, wide], dim=1)))


def _normed(layer: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU()]
