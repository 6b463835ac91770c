"""A stretch of a time series as fields: its steps, how many there are, and what describes it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from zerosum.data.fields import Field


class SeriesField(Field):
    """Steps of some channels, float32 (length, channels), scaled as the codec says; 0 behind the
    end of a shorter one."""

    kind: Literal["series"] = "series"
    shape: tuple[int, int] = (0, 0)
    """(length, channels)."""
    names: tuple[str, ...] = ()
    """Of the channels."""


class StepsField(Field):
    """How many steps a series has, int64; there where they differ."""

    kind: Literal["steps"] = "steps"
    shape: tuple[()] = ()
    most: int
    """Steps of the longest."""

    def random(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randint(1, self.most + 1, (n,), generator=rng)


class AttributesField(Field):
    """What describes a series, float32: one-hot words, and numbers on [-1, 1], side by side."""

    kind: Literal["attributes"] = "attributes"
    shape: tuple[int] = (0,)
    """(sum of sizes,)."""
    names: tuple[str, ...] = ()
    """Of the attributes."""
    sizes: tuple[int, ...] = ()
    """Words of each attribute; 0 for a number, which takes one place."""

    def random(self, n: int, rng: torch.Generator) -> Tensor:
        parts = []
        for size in self.sizes:
            if size:
                places = torch.randint(size, (n,), generator=rng)
                parts.append(torch.nn.functional.one_hot(places, size).float())
            else:
                parts.append(2 * torch.rand(n, 1, generator=rng) - 1)
        return torch.cat(parts, dim=1)
