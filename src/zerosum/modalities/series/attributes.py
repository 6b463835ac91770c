"""What is the same for all steps of a series: words and numbers that describe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from zerosum.config import Part
from zerosum.data.digits import decimals
from zerosum.errors import UserError

Values = Mapping[str, Sequence[Any]]
"""Of each attribute, one value a series: words, or numbers."""


class Attribute(Part):
    """One attribute, as it was found in the training part."""

    name: str
    values: tuple[str, ...] = ()
    """The words of a category; empty for a number."""
    low: float = 0.0
    """The least number."""
    high: float = 0.0
    """The greatest number."""
    decimals: int | None = None
    """Digits after the point of a number; None where they are not few."""

    @classmethod
    def fit(cls, name: str, values: Sequence[Any]) -> Self:
        """The attribute of training series.

        Raises:
            UserError: A number is missing.
        """
        if any(isinstance(value, str) for value in values):
            return cls(name=name, values=tuple(sorted({str(value) for value in values})))
        numbers = np.asarray(values, dtype=np.float64)
        if not np.isfinite(numbers).all():
            raise UserError(f"the attribute '{name}' lacks a number: fill it, or leave it out")
        low, high = float(numbers.min()), float(numbers.max())
        return cls(name=name, low=low, high=high, decimals=decimals(numbers))

    @property
    def size(self) -> int:
        """Numbers that stand for it."""
        return len(self.values) or 1

    def knows(self, value: Any) -> bool:
        """Whether it can stand for a value: a category has its words alone."""
        return str(value) in self.values if self.values else bool(np.isfinite(value))

    def encode(self, values: Sequence[Any]) -> Tensor:
        """Values as (N, size): one-hot, or the training range on [-1, 1]."""
        if self.values:
            found = [self.values.index(str(value)) for value in values]
            places = torch.tensor(found, dtype=torch.int64)
            return torch.nn.functional.one_hot(places, self.size).float()
        numbers = np.asarray(values, dtype=np.float64)
        half = (self.high - self.low) / 2 or 1.0
        return torch.from_numpy((numbers - (self.low + self.high) / 2) / half).float()[:, None]

    def decode(self, encoded: Tensor) -> list[Any]:
        """The way back, from (N, size)."""
        if self.values:
            return [self.values[place] for place in encoded.argmax(1).tolist()]
        half = (self.high - self.low) / 2 or 1.0
        numbers = encoded[:, 0].double().cpu().numpy() * half + (self.low + self.high) / 2
        numbers = numbers if self.decimals is None else np.round(numbers, self.decimals)
        return numbers.tolist()

    def text(self, value: Any) -> str:
        """A value as a cell of a table."""
        if self.values:
            return str(value)
        return f"{value:.9g}" if self.decimals is None else f"{value:.{self.decimals}f}"


def encoded(attributes: Sequence[Attribute], values: Values) -> Tensor:
    """All attributes of some series, side by side, (N, sum of sizes)."""
    return torch.cat([one.encode(values[one.name]) for one in attributes], dim=1)


def parted(attributes: Sequence[Attribute], rows: Tensor) -> dict[str, Tensor]:
    """Such rows by attribute, (N, size) each."""
    parts = rows.split([one.size for one in attributes], dim=1)
    return {one.name: part for one, part in zip(attributes, parts)}


def decoded(attributes: Sequence[Attribute], rows: Tensor) -> dict[str, list[Any]]:
    """The values of such rows, by attribute."""
    apart = parted(attributes, rows)
    return {one.name: one.decode(apart[one.name]) for one in attributes}
