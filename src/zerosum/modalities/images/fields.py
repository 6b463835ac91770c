"""Fields of pictures."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from zerosum.data.fields import Field


class ImageField(Field):
    """A picture: uint8 (B, C, H, W) as fetched, float32 in [-1, 1] finished."""

    kind: Literal["image"] = "image"
    shape: tuple[int, int, int]
    """(channels, height, width)."""

    def finish(self, raw: Tensor) -> Tensor:
        if raw.dtype != torch.uint8:  # finished already, such as what a game drew
            return raw
        return raw.to(torch.float32).div_(127.5).sub_(1)

    def mirror(self, raw: Tensor) -> Tensor:
        return raw.flip(-1)

    def random(self, n: int, rng: torch.Generator) -> Tensor:
        return 2 * torch.rand(n, *self.shape, generator=rng) - 1


class Lightness(Field):
    """The L* of a picture, float32 in [-1, 1], without its colours: see `lab.parted`."""

    kind: Literal["lightness"] = "lightness"
    shape: tuple[Literal[1], int, int]
    """(1, height, width)."""

    def mirror(self, raw: Tensor) -> Tensor:
        return raw.flip(-1)

    def random(self, n: int, rng: torch.Generator) -> Tensor:
        return 2 * torch.rand(n, *self.shape, generator=rng) - 1


class LabelMap(Field):
    """A class for each pixel: int64 or uint8 (B, H, W), never scaled."""

    kind: Literal["label-map"] = "label-map"
    shape: tuple[int, int]
    """(height, width)."""
    count: int
    """Number of classes."""

    def mirror(self, raw: Tensor) -> Tensor:
        return raw.flip(-1)

    def random(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randint(self.count, (n, *self.shape), generator=rng)
