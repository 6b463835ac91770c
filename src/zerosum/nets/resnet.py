"""The residual pair of WGAN-GP and SNGAN, with heads for labels.

Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville 2017, arXiv:1704.00028, appendix: residual
blocks with pre-activation, in which the generator doubles and the critic halves the map. Miyato
et al. 2018, arXiv:1802.05957, appendix: the same without normalisation in the discriminator, an
optimised first block, and a sum over places at its end. Miyato and Koyama 2018,
arXiv:1802.05637: conditional batch normalisation and the projection head. Zhang et al. 2019,
arXiv:1805.08318: self-attention at one size of the map.
"""

from __future__ import annotations

import itertools
import math
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from zerosum.errors import UserError
from zerosum.layers.attention import SelfAttention
from zerosum.layers.norm import ConditionalBatchNorm2d, Norm
from zerosum.layers.pyramid import doublings


class UpBlock(nn.Module):
    """A residual block that doubles the map: norm, ReLU, double, conv, norm, ReLU, conv."""

    def __init__(self, before: int, after: int, norm: Norm) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(before), norm(after)
        self.conv1 = convolution(before, after, 3)
        self.conv2 = convolution(after, after, 3)
        self.shortcut = convolution(before, after, 1)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Maps (B, before, H, W) to maps (B, after, 2H, 2W)."""
        y = relu(_normalised(self.norm1, x, label))
        y = self.conv1(interpolate(y, scale_factor=2.0))
        y = self.conv2(relu(_normalised(self.norm2, y, label)))
        # A 1x1 convolution commutes with doubling and is cheaper before it.
        return y + interpolate(self.shortcut(x), scale_factor=2.0)


class DownBlock(nn.Module):
    """A residual block: [norm,] ReLU, conv, [norm,] ReLU, conv, [halve the map].

    The first block of a network gets pixels: no norm and no ReLU before its first convolution,
    and its shortcut halves first.
    """

    def __init__(
        self, before: int, after: int, norm: Norm | None, *, halve: bool, first: bool = False
    ) -> None:
        super().__init__()
        self.halve, self.first = halve, first
        self.norm1 = nn.Identity() if norm is None or first else norm(before)
        self.norm2 = nn.Identity() if norm is None else norm(after)
        self.conv1 = convolution(before, after, 3)
        self.conv2 = convolution(after, after, 3)
        learned = halve or before != after
        self.shortcut = convolution(before, after, 1) if learned else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, before, H, W) to maps (B, after, H, W), or to half the height and width."""
        y = self.conv1(x if self.first else relu(self.norm1(x)))
        y = self.conv2(relu(self.norm2(y)))
        if not self.halve:
            return y + self.shortcut(x)
        # The mean over 2x2 pixels commutes with a 1x1 convolution too.
        return avg_pool2d(y, 2) + self.shortcut(avg_pool2d(x, 2))


class Generator(nn.Module):
    """Codes (B, latent), and labels (B,) where there are classes, to images in [-1, 1]."""

    def __init__(
        self,
        latent: int,
        width: int,
        channels: int,
        size: tuple[int, int],
        *,
        growth: int = 2,
        most: int = 16,
        classes: int = 0,
        attention: int = 0,
    ) -> None:
        """Build the layers.

        Args:
            latent: Numbers in a code.
            width: Feature maps at full size.
            channels: Colour channels.
            size: (height, width) in pixels.
            growth: Factor of the feature maps at each halving; 1 keeps their number.
            most: Largest factor of the feature maps.
            classes: Number of classes; 0 normalises without condition.
            attention: Height of the map that gets self-attention; 0 for none.

        Raises:
            UserError: The size is no doubled grid, or no map has the height for attention.
        """
        super().__init__()
        grid, levels = doublings(size)
        maps = [width * min(growth**i, most) for i in reversed(range(levels))]
        self.shape = (maps[0], *grid)
        self.first = nn.Linear(latent, math.prod(self.shape))

        def norm(features: int) -> nn.Module:
            if classes:
                return ConditionalBatchNorm2d(features, classes=classes)
            return nn.BatchNorm2d(features)

        pairs = itertools.pairwise([maps[0], *maps])
        self.blocks = nn.ModuleList(UpBlock(a, b, norm) for a, b in pairs)
        heights = [grid[0] * 2**i for i in range(levels + 1)]
        self.attention = _attention(attention, heights, [maps[0], *maps])
        self.attend_at = heights.index(attention) if attention else -1
        self.last = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(), convolution(width, channels, 3, gain=1.0), nn.Tanh()
        )
        nn.init.xavier_uniform_(self.first.weight)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        x = self.first(z).unflatten(1, self.shape)
        for i, block in enumerate(self.blocks):
            x = self.attention(x) if i == self.attend_at else x
            x = block(x, label)
        return self.last(self.attention(x) if len(self.blocks) == self.attend_at else x)


class Trunk(nn.Module):
    """Images (B, channels, H, W) to features (B, self.features).

    Attributes:
        features: Numbers per image at the end.
    """

    def __init__(
        self,
        width: int,
        channels: int,
        size: tuple[int, int],
        *,
        growth: int = 2,
        most: int = 16,
        norm: Norm | None = None,
        halvings: int = 0,
        flat: int = 1,
        pool: Literal["sum", "mean"] = "sum",
        attention: int = 0,
    ) -> None:
        """Build the layers.

        Args:
            width: Feature maps after the first block.
            channels: Colour channels.
            size: (height, width) in pixels.
            growth: Factor of the feature maps at each further halving; 1 keeps their number.
            most: Largest factor of the feature maps.
            norm: Normalisation inside the blocks; None for none.
            halvings: Blocks that halve the map; 0 goes down to the small grid.
            flat: Blocks at the end that keep the map's size.
            pool: How the places of the last map are put together.
            attention: Height of the map that gets self-attention; 0 for none.

        Raises:
            UserError: The size is no doubled grid, too many halvings, or no map has the height
                for attention.
        """
        super().__init__()
        _, levels = doublings(size)
        halvings = halvings or levels
        if halvings > levels:
            raise UserError(f"images of {size[0]}x{size[1]} can be halved {levels} times at most")
        maps = [width * min(growth**i, most) for i in range(halvings)]
        maps += [maps[-1]] * flat
        self.blocks = nn.ModuleList(
            DownBlock(before, after, norm, halve=i < halvings, first=i == 0)
            for i, (before, after) in enumerate(itertools.pairwise([channels, *maps]))
        )
        heights = [size[0] // 2**i for i in range(1, halvings + 1)]
        self.attention = _attention(attention, heights, maps)
        self.attend_at = heights.index(attention) if attention else -1
        self.norm = nn.Identity() if norm is None else norm(maps[-1])
        self.features, self.pool = maps[-1], pool

    def forward(self, x: Tensor) -> Tensor:
        for i, block in enumerate(self.blocks):
            x = block(x)
            x = self.attention(x) if i == self.attend_at else x
        x = relu(self.norm(x))
        return x.sum((2, 3)) if self.pool == "sum" else x.mean((2, 3))


class Score(nn.Linear):
    """Features (B, n) to logits (B,)."""

    def __init__(self, features: int) -> None:
        super().__init__(features, 1)
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).squeeze(1)


class Projection(nn.Module):
    """Features (B, n) and labels (B,) to logits (B,).

    Miyato and Koyama 2018, arXiv:1802.05637, section 3: the logit is the inner product of the
    features with a vector per class, plus a score of the features alone.
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.score = Score(features)
        self.table = nn.Embedding(classes, features)
        nn.init.xavier_uniform_(self.table.weight)

    def forward(self, features: Tensor, label: Tensor) -> Tensor:
        return (features * self.table(label)).sum(1) + self.score(features)


def convolution(before: int, after: int, kernel: int, gain: float | None = None) -> nn.Conv2d:
    """A convolution that keeps the map's size. Weights as of Glorot and Bengio 2010, times
    sqrt(2) where a ReLU halves what comes in (kernel above 1, unless `gain` is given)."""
    layer = nn.Conv2d(before, after, kernel, padding=kernel // 2)
    if gain is None:
        gain = math.sqrt(2) if kernel > 1 else 1.0
    nn.init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _normalised(norm: nn.Module, x: Tensor, label: Tensor | None) -> Tensor:
    return norm(x, label) if isinstance(norm, ConditionalBatchNorm2d) else norm(x)


def _attention(height: int, heights: list[int], maps: list[int]) -> nn.Module:
    """Self-attention for the map of that height; nothing for height 0."""
    if not height:
        return nn.Identity()
    if height not in heights:
        found = ", ".join(str(h) for h in heights)
        raise UserError(f"attention={height}, but the maps are {found} high: choose one of them")
    return SelfAttention(maps[heights.index(height)])
