"""Differentiable augmentation: the discriminator never sees an unchanged image.

Zhao, Liu, Lin, Zhu and Han 2020, "Differentiable Augmentation for Data-Efficient GAN Training",
arXiv:2006.10738: random changes T of colour, place and completeness are applied to real and to
fake images alike, for both players' losses (section 3.2), and gradients flow through them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zerosum.errors import UserError, nearest

PolicyName = Literal["color", "translation", "cutout"]
Rng = torch.Generator | None


class DiffAugment(nn.Module):
    """Random differentiable changes of images, drawn anew for each image and each call.

    Put it before the discriminator wherever that is asked: on real and fake images, in the
    discriminator's turn and in the generator's. Statistics of the changed images are then equal
    exactly where those of the images are, so nothing leaks into the samples.

    Args:
        policy: Which changes, in this order, of `color` (brightness, saturation, contrast),
            `translation` (up to an eighth of the side, zeros come in) and `cutout` (a square of
            half the side is blanked). The paper: all three for a hundred images, `translation`
            and `cutout` for CIFAR-10.

    Raises:
        UserError: An unknown change.
    """

    def __init__(self, policy: Sequence[PolicyName] = ("color", "translation", "cutout")) -> None:
        super().__init__()
        for name in policy:
            if name not in POLICIES:
                raise UserError(f"DiffAugment knows no '{name}': {nearest(name, POLICIES)}")
        self.policy = tuple(policy)

    def forward(self, images: Tensor, rng: Rng = None) -> Tensor:
        """Changed images (B, C, H, W) of images (B, C, H, W) in [-1, 1].

        Args:
            images: The images.
            rng: Source of the randomness; the images' device's global generator when None.
        """
        for name in self.policy:
            images = POLICIES[name](images, rng)
        return images

    def extra_repr(self) -> str:
        return ", ".join(self.policy)


def color(images: Tensor, rng: Rng = None) -> Tensor:
    """Random brightness (by up to 0.5), saturation (times 0 to 2), contrast (times 0.5 to 1.5)."""
    bright, saturate, contrast = _uniform(images, 3, rng)
    images = images + (bright - 0.5)
    grey = images.mean(1, keepdim=True)
    images = grey + 2 * saturate * (images - grey)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (0.5 + contrast) * (images - mean)


def translation(images: Tensor, rng: Rng = None, ratio: float = 0.125) -> Tensor:
    """Shift by up to `ratio` of the height and of the width, whole pixels; zeros come in."""
    count, _, height, width = images.shape
    furthest = [int(side * ratio + 0.5) for side in (height, width)]
    share = _uniform(images, 2, rng).flatten(1)
    down, right = (
        (share[i] * (2 * far + 1)).floor().long().clamp(max=2 * far) - far
        for i, far in enumerate(furthest)
    )
    padded = F.pad(images, (furthest[1], furthest[1], furthest[0], furthest[0]))
    rows = torch.arange(height, device=images.device) + furthest[0] - down[:, None]
    columns = torch.arange(width, device=images.device) + furthest[1] - right[:, None]
    which = torch.arange(count, device=images.device)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def cutout(images: Tensor, rng: Rng = None, ratio: float = 0.5) -> Tensor:
    """Blank a square of `ratio` times the sides; its centre lies anywhere, so it may stick out."""
    _, _, height, width = images.shape
    tall, wide = int(height * ratio + 0.5), int(width * ratio + 0.5)
    share = _uniform(images, 2, rng)
    top = (share[0] * (height + (1 - tall % 2))).floor() - tall // 2
    left = (share[1] * (width + (1 - wide % 2))).floor() - wide // 2
    rows = torch.arange(height, device=images.device).view(1, 1, -1, 1)
    columns = torch.arange(width, device=images.device).view(1, 1, 1, -1)
    inside = (rows >= top) & (rows < top + tall) & (columns >= left) & (columns < left + wide)
    return images * (~inside).to(images.dtype)


POLICIES: dict[str, Callable[[Tensor, Rng], Tensor]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}


def _uniform(images: Tensor, numbers: int, rng: Rng) -> Tensor:
    """Numbers (numbers, B, 1, 1, 1) in [0, 1), of the images' type and on their device."""
    device = images.device if rng is None else rng.device
    drawn = torch.rand(numbers, len(images), 1, 1, 1, generator=rng, device=device)
    return drawn.to(images)
