"""Networks that grow by doublings: what fades in, and the critic that grows with its generator.

Karras, Aila, Laine and Lehtinen 2018, "Progressive Growing of GANs for Improved Quality,
Stability, and Variation", arXiv:1710.10196, section 2 and table 2. A level is a number: 0 is the
small grid, a fraction is a doubling that is being faded in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu

from zerosum.layers.equalised import EqualisedConv2d, EqualisedLinear
from zerosum.layers.minibatch import MinibatchStddev
from zerosum.layers.resample import filtered, fir


def grown(seen: int, total: int, levels: int, growing: float) -> float:
    """How far networks have grown: 0 is the small grid, `levels` the full size.

    The first `growing` share of the run is cut into equal phases: train the small grid, fade in
    a doubling, train, fade in the next, ... and the rest trains the full size. Without an end of
    the run (`total` 0) everything is grown.
    """
    if not total or growing <= 0:
        return float(levels)
    phase = seen / (growing * total) * 2 * levels
    whole = int(phase // 2)
    return min(whole + max(phase - 2 * whole - 1, 0.0), float(levels))


def share_of(level: float, k: int) -> float:
    """The share of level k in the image: 1 at the level itself, 0 one level away."""
    return max(1 - abs(level - k), 0.0)


def halved(x: Tensor, times: int) -> Tensor:
    """Maps with each 2^times x 2^times pixels replaced by their mean."""
    return avg_pool2d(x, 2**times) if times else x


def doubled(x: Tensor, times: int) -> Tensor:
    """Maps with each pixel repeated 2^times in both directions."""
    return interpolate(x, scale_factor=float(2**times)) if times else x


def faded(images: Tensor, level: float) -> Tensor:
    """Images of the size of the next whole level, with its detail faded in (section 2)."""
    share = 1 - (math.ceil(level) - level)
    return images if share == 1 else torch.lerp(doubled(halved(images, 1), 1), images, share)


class Critic(nn.Module):
    """Images (B, channels, h, w) of a level, and that level, to logits (B,)."""

    taps: Tensor | None

    def __init__(
        self,
        channels: int,
        grid: tuple[int, int],
        maps: list[int],
        group: int,
        taps: Sequence[float] | None = None,
    ) -> None:
        """Build the layers.

        Args:
            channels: Colour channels.
            grid: (height, width) of level 0.
            maps: Feature maps of each level.
            group: Samples that the minibatch deviation compares.
            taps: Low-pass filter before each halving; None for none.
        """
        super().__init__()
        self.register_buffer("taps", None if taps is None else fir(taps), persistent=False)
        self.colours = nn.ModuleList(EqualisedConv2d(channels, m, 1) for m in maps)
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                [EqualisedConv2d(b, b, 3, padding=1), EqualisedConv2d(b, a, 3, padding=1)]
            )
            for a, b in pairwise(maps)
        )
        self.stddev = MinibatchStddev(group)
        self.conv = EqualisedConv2d(maps[0] + 1, maps[0], 3, padding=1)
        self.dense = EqualisedConv2d(maps[0], maps[0], grid)
        self.score = EqualisedLinear(maps[0], 1, gain=1.0)

    def forward(self, images: Tensor, level: float) -> Tensor:
        top = math.ceil(level)
        x = self._seen(images, top)
        for k in range(top - 1, -1, -1):
            first, second = self.blocks[k]  # pyright: ignore[reportGeneralTypeIssues]
            x = leaky_relu(first(x), 0.2)
            x = x if self.taps is None else filtered(x, self.taps)
            x = leaky_relu(second(x), 0.2)
            # Below the level that fades in, the smaller image comes in beside it.
            share = min(level - k, 1.0)
            x = share * halved(x, 1) + (1 - share) * self._seen(halved(images, top - k), k)
        x = leaky_relu(self.conv(self.stddev(x)), 0.2)
        return self.score(leaky_relu(self.dense(x), 0.2).flatten(1)).squeeze(1)

    def _seen(self, images: Tensor, k: int) -> Tensor:
        return leaky_relu(self.colours[k](images), 0.2)
