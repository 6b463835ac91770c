"""Fields of tables: an encoded row, and the category that a row was drawn for."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from zerosum.config import Part
from zerosum.data.fields import Field

SpanPart = Literal["scalar", "modes", "category"]


class Span(Part):
    """A slice of an encoded row."""

    column: str
    """Name of the column that it encodes."""
    start: int
    """First position."""
    stop: int
    """First position after it."""
    part: SpanPart
    """A number's place in its mode, in [-1, 1]; which mode (one-hot); or which category
    (one-hot)."""

    @property
    def width(self) -> int:
        return self.stop - self.start


class RowField(Field):
    """An encoded row: float32 (B, width), numbers in [-1, 1] and one-hot parts side by side."""

    kind: Literal["row"] = "row"
    shape: tuple[int]
    """(width,)."""
    spans: tuple[Span, ...]
    """What each slice is, in order and without gaps."""

    def categories(self) -> dict[str, Span]:
        """The span of each discrete column, by the column's name."""
        return {span.column: span for span in self.spans if span.part == "category"}


class Choice(Part):
    """One discrete column of a condition."""

    column: str
    """Name of the column."""
    start: int
    """Position of its first category in the condition."""
    names: tuple[str, ...]
    """Its categories, in words."""
    counts: tuple[int, ...]
    """Training rows that hold each of them."""


class ConditionField(Field):
    """One category of one discrete column: one-hot over all categories of all of them.

    float32 (B, categories), the categories in the order in which the row has them.
    """

    kind: Literal["condition"] = "condition"
    shape: tuple[int]
    """(categories,)."""
    choices: tuple[Choice, ...]
    """The discrete columns, in the order of the row."""

    def drawn(
        self, n: int, rng: torch.Generator | None = None, device: torch.device | None = None
    ) -> Tensor:
        """Conditions (n, categories): any column, its categories as often as the data have them.

        Args:
            n: How many.
            rng: Source of all randomness; the global one when None.
            device: Where they shall be; drawn where `rng` lives.
        """
        ends = []
        for number, choice in enumerate(self.choices):
            share = torch.tensor(choice.counts, dtype=torch.float64).cumsum(0)
            ends.append(number + share / share[-1])
        source = device if rng is None else rng.device
        chance = torch.rand(2, n, generator=rng, device=source).to(device)
        column = (chance[0] * len(self.choices)).floor()
        # Just below 1, or single precision would carry the last category into the next column.
        level = column + chance[1].clamp(max=1 - 1e-5)
        place = torch.searchsorted(torch.cat(ends).to(level), level, right=True)
        return one_hot(place, self.shape[0]).float()
