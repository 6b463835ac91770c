"""A small U-Net whose blocks are told a vector, such as the time of a diffusion.

After Ho, Jain and Abbeel 2020, "Denoising Diffusion Probabilistic Models", arXiv:2006.11239,
appendix B: residual blocks with group normalisation and SiLU, the embedding of the time added in
each, skips from the way down to the way up; without attention, and narrower.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zerosum.errors import UserError


class Block(nn.Module):
    """Two convolutions with a shortcut; the vector shifts and scales what lies between them."""

    def __init__(self, before: int, after: int, told: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(_groups(before), before), nn.SiLU(), nn.Conv2d(before, after, 3, 1, 1)
        )
        self.tell = nn.Linear(told, 2 * after)
        self.norm = nn.GroupNorm(_groups(after), after, affine=False)
        self.second = nn.Conv2d(after, after, 3, 1, 1)
        self.shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1)
        nn.init.zeros_(self.second.weight)  # at first each block is its shortcut

    def forward(self, maps: Tensor, vector: Tensor) -> Tensor:
        """Maps (B, after, H, W) of maps (B, before, H, W) and vectors (B, told)."""
        scale, shift = self.tell(F.silu(vector))[..., None, None].chunk(2, dim=1)
        inner = self.norm(self.first(maps)) * (1 + scale) + shift
        return self.shortcut(maps) + self.second(F.silu(inner))


class UNet(nn.Module):
    """Images (B, before, H, W) and vectors (B, told) to images (B, after, H, W).

    Args:
        before: Channels in.
        after: Channels out.
        width: Feature maps at the full size; doubled at each level below.
        levels: Number of halvings; height and width must be multiples of 2 to that power.
        told: Length of the vector.
        blocks: Residual blocks per level on the way down.
    """

    def __init__(
        self, before: int, after: int, *, width: int, levels: int, told: int, blocks: int = 1
    ) -> None:
        super().__init__()
        widths = [width * min(2**i, 4) for i in range(levels + 1)]
        self.enter = nn.Conv2d(before, width, 3, 1, 1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        kept, now = [width], width
        for level, maps in enumerate(widths):
            for _ in range(blocks):
                self.down.append(Block(now, maps, told))
                now = maps
                kept.append(now)
            if level < levels:
                self.down.append(nn.Conv2d(now, now, 3, 2, 1))
                kept.append(now)
        self.middle = Block(now, now, told)
        for level, maps in reversed(list(enumerate(widths))):
            for _ in range(blocks + 1):
                self.up.append(Block(now + kept.pop(), maps, told))
                now = maps
            if level:
                self.up.append(nn.Conv2d(now, now, 3, 1, 1))
        self.leave = nn.Sequential(
            nn.GroupNorm(_groups(now), now), nn.SiLU(), nn.Conv2d(now, after, 3, 1, 1)
        )

    def forward(self, images: Tensor, vector: Tensor) -> Tensor:
        maps = self.enter(images)
        kept = [maps]
        for part in self.down:
            maps = part(maps, vector) if isinstance(part, Block) else part(maps)
            kept.append(maps)
        maps = self.middle(maps, vector)
        for part in self.up:
            if isinstance(part, Block):
                maps = part(torch.cat([maps, kept.pop()], dim=1), vector)
            else:
                maps = part(F.interpolate(maps, scale_factor=2.0))
        return self.leave(maps)


def halvings(size: tuple[int, int], most: int) -> int:
    """How often a size can be halved, at most `most` times, down to no less than 4 pixels.

    Raises:
        UserError: Not even once.
    """
    levels = 0
    while (
        levels < most
        and not any(side % 2 ** (levels + 1) for side in size)
        and min(size) >= 4 * 2 ** (levels + 1)
    ):
        levels += 1
    if not levels:
        raise UserError(
            f"a U-Net halves images, which {size[0]}x{size[1]} cannot be: set data.size to a "
            f"multiple of 8, such as {max(8, round(size[0] / 8) * 8)}"
        )
    return levels


def _groups(maps: int) -> int:
    """Groups of at least four maps, at most eight of them."""
    return next(groups for groups in (8, 4, 2, 1) if maps % groups == 0 and maps // groups >= 4)
