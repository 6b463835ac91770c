"""From one picture to another of the same size: the U-Net and the patch critic of pix2pix.

Isola, Zhu, Zhou and Efros 2017, "Image-to-image translation with conditional adversarial
networks", arXiv:1611.07004, sections 3.2 and 6.1. A dozen later papers share the pair.
"""

from __future__ import annotations

import itertools
from typing import Literal

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.layers.norm import Norm

NormName = Literal["batch", "instance"]

MOST_HALVINGS = 8
"""Of the paper's U-Net, for 256 pixels (section 6.1.1)."""
WIDEST = 8
"""Feature maps stop growing at so many times those of the first layer."""
NOISY = 3
"""Decoder layers that drop half of their maps."""


def norm_layer(name: NormName) -> Norm:
    """Batch normalisation, or each picture's own statistics with a gain and a bias per map.

    Both are one where the batch is one picture and, as in the paper's section 3.3, the
    statistics of the test picture are used.
    """
    return nn.BatchNorm2d if name == "batch" else _instance_norm


def _instance_norm(features: int) -> nn.InstanceNorm2d:
    return nn.InstanceNorm2d(features, affine=True)


def initialise(module: nn.Module) -> None:
    """Weights N(0, 0.02) (section 6.2), biases 0; gains of a normalisation stay 1."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class DrawnDropout(nn.Module):
    """Dropout whose mask is drawn from a generator that the caller gives, in any mode.

    The mode of training says nothing here: pix2pix drops maps when it samples too, and a sample
    must be the same again under the same generator.
    """

    def __init__(self, share: float = 0.5) -> None:
        """Build the layer.

        Args:
            share: Of the entries that become 0; the others are divided by 1 - share.
        """
        super().__init__()
        self.share = share

    def forward(self, maps: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """Maps of any shape with some entries dropped.

        Args:
            maps: Any shape.
            rng: Where the mask is drawn from and on whose device; None is the global one.
        """
        source = maps.device if rng is None else rng.device
        kept = torch.rand(maps.shape, generator=rng, device=source) >= self.share
        return maps * kept.to(maps.device) / (1 - self.share)


class TranslatingUNet(nn.Module):
    """Pictures (B, before, H, W) to pictures (B, after, H, W) in [-1, 1].

    Convolutions of 4x4 and stride 2 all the way down, transposed ones all the way up; each layer
    of the decoder also sees the maps of the encoder that have its size. The innermost layer is
    not normalised, which at 1x1 would leave nothing of it (the paper's errata).

    Attributes:
        levels: How often a picture is halved.
    """

    def __init__(
        self,
        before: int,
        after: int,
        size: tuple[int, int],
        *,
        width: int = 64,
        norm: NormName = "batch",
        levels: int = 0,
    ) -> None:
        """Build the layers.

        Args:
            before: Channels in.
            after: Channels out.
            size: (height, width) of both.
            width: Feature maps after the first halving; doubled at each, up to 8 times.
            norm: Which normalisation.
            levels: Number of halvings; 0 takes as many as the size allows, 8 at most.

        Raises:
            UserError: The size cannot be halved so often.
        """
        super().__init__()
        self.levels = halvings(size, levels)
        normalised = norm_layer(norm)
        widths = [width * min(2**level, WIDEST) for level in range(self.levels)]
        self.down = nn.ModuleList([_Down(before, width, None)])
        for level, (narrow, wide) in enumerate(itertools.pairwise(widths), start=2):
            innermost = level == self.levels
            self.down.append(_Down(narrow, wide, None if innermost else normalised))
        self.up, now = nn.ModuleList(), widths[-1]
        noisy = min(NOISY, self.levels // 2)
        for layer, maps in enumerate(reversed(widths[:-1])):
            self.up.append(_Up(now, maps, normalised, noisy=layer < noisy))
            now = 2 * maps  # its own and the encoder's
        self.last = nn.ConvTranspose2d(now, after, 4, 2, 1)
        self.apply(initialise)

    def forward(
        self, pictures: Tensor, rng: torch.Generator | None = None, *, noise: bool = True
    ) -> Tensor:
        """Translate pictures.

        Args:
            pictures: (B, before, H, W).
            rng: Source of the dropped entries; None is the global one.
            noise: False drops nothing: the answer is then a function of the picture.
        """
        skips, maps = [], pictures
        for down in self.down:
            maps = down(maps)
            skips.append(maps)
        skips.pop()
        for up in self.up:
            maps = torch.cat([up(maps, rng, noise), skips.pop()], dim=1)
        return torch.tanh(self.last(torch.relu(maps)))


class _Down(nn.Module):
    """Convolution, normalisation, leaky ReLU."""

    def __init__(self, before: int, after: int, norm: Norm | None) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, 4, 2, 1, bias=norm is None)
        self.norm = nn.Identity() if norm is None else norm(after)

    def forward(self, maps: Tensor) -> Tensor:
        return nn.functional.leaky_relu(self.norm(self.convolution(maps)), 0.2)


class _Up(nn.Module):
    """ReLU, transposed convolution, normalisation and, in the first few, dropped entries."""

    def __init__(self, before: int, after: int, norm: Norm, *, noisy: bool) -> None:
        super().__init__()
        self.convolution = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
        self.norm = norm(after)
        self.dropout = DrawnDropout() if noisy else None

    def forward(self, maps: Tensor, rng: torch.Generator | None, noise: bool) -> Tensor:
        maps = self.norm(self.convolution(torch.relu(maps)))
        return maps if self.dropout is None or not noise else self.dropout(maps, rng)


def halvings(size: tuple[int, int], asked: int = 0) -> int:
    """How often pictures are halved on the way down, to no less than one pixel.

    Args:
        size: (height, width).
        asked: So often; 0 takes as often as the size allows, 8 times at most.

    Raises:
        UserError: The size is odd after fewer halvings than two, or than asked for.
    """
    possible = 0
    while possible < MOST_HALVINGS and not any(side % 2 ** (possible + 1) for side in size):
        possible += 1
    least = max(asked, 2)
    if possible < least:
        step = 2**least
        good = [max(1, round(side / step)) * step for side in size]
        raise UserError(
            f"this U-Net halves pictures {least} times, which {size[0]}x{size[1]} cannot be: "
            f"set data.size={good[0]}x{good[1]}"
        )
    return asked or possible


PATCHES = tuple(9 * 2**halved - 2 for halved in range(6))
"""Sides of the patches that a `PatchCritic` may judge: 7, 16, 34, 70, 142 and 286 pixels.

Of a layer with kernel k and stride s a patch of p outputs sees (p - 1) s + k inputs. Two last
layers with k = 4, s = 1 see 7, and each layer with k = 4, s = 2 before them makes 2 p + 2 of p.
16, 70 and 286 are the paper's (section 6.1.2), 7 is ours, in place of its single pixel.
"""


def patch_for(size: tuple[int, int]) -> int:
    """The side of the patches that suits a size: 70, or what fills at most 3/4 of a small one.

    So 64 pixels get 34, 32 get 16 and 8 get 7.
    """
    room = 0.75 * min(size)
    return max([patch for patch in PATCHES if patch <= min(room, 70)], default=PATCHES[0])


def fitting_patch(asked: int, size: tuple[int, int]) -> int:
    """The side of a critic's patches, where logits are left for it.

    Args:
        asked: One of `PATCHES`; 0 takes what suits the size.
        size: (height, width).

    Raises:
        UserError: Nothing would be left.
    """
    patch = asked or patch_for(size)
    if patch in PATCHES and min(size) < 3 * 2 ** PATCHES.index(patch):
        raise UserError(
            f"model.patch={patch} leaves no logit of pictures of {size[0]}x{size[1]}: "
            f"set model.patch={patch_for(size)}"
        )
    return patch


class PatchCritic(nn.Sequential):
    """Pictures (B, channels, H, W) to logits (B, 1, h, w), each of an overlapping patch.

    C64-C128-C256-C512 for patches of 70x70: no normalisation in the first layer, stride 2 but in
    the last two. With a normalisation the statistics of all places enter each logit; what is
    counted here is what the convolutions see.
    """

    def __init__(
        self, channels: int, *, width: int = 64, patch: int = 70, norm: NormName = "batch"
    ) -> None:
        """Build the layers.

        Args:
            channels: Of all that it sees: the input's and the answer's.
            width: Feature maps of the first layer; doubled at each, up to 8 times.
            patch: One of `PATCHES`.
            norm: Which normalisation.

        Raises:
            UserError: There are no patches of that side.
        """
        if patch not in PATCHES:
            listed = ", ".join(map(str, PATCHES))
            raise UserError(f"there is no critic of {patch} pixels: patches are {listed}")
        halved, normalised = PATCHES.index(patch), norm_layer(norm)
        strides = [2] * halved + [1]
        widths = [width * min(2**layer, WIDEST) for layer in range(len(strides))]
        layers: list[nn.Module] = []
        for before, after, stride in zip([channels, *widths], widths, strides):
            first = not layers
            layers.append(nn.Conv2d(before, after, 4, stride, 1, bias=first))
            layers += [] if first else [normalised(after)]
            layers.append(nn.LeakyReLU(0.2))
        super().__init__(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))
        self.apply(initialise)
