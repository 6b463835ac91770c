"""Encoded rows in little memory: numbers and category numbers, made one-hot when fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zerosum.data.order import draw
from zerosum.modalities.tables.columns import Discrete, Number
from zerosum.modalities.tables.fields import Choice, ConditionField, RowField, Span

COLUMN, CATEGORY, ROW, MODE, RARE, HOLE = range(101, 107)
"""What draws of tables are for, beside the purposes in `data.order`."""

Learned = Number | Discrete


def row_field(columns: Sequence[Learned]) -> RowField:
    """The field of rows of these columns."""
    spans: list[Span] = []
    at = 0
    for column in columns:
        if isinstance(column, Number):
            spans.append(Span(column=column.name, start=at, stop=at + 1, part="scalar"))
            at += 1
            stop = at + column.modes
            spans.append(Span(column=column.name, start=at, stop=stop, part="modes"))
        else:
            stop = at + column.categories
            spans.append(Span(column=column.name, start=at, stop=stop, part="category"))
        at = stop
    return RowField(shape=(at,), spans=tuple(spans))


def condition_field(columns: Sequence[Learned]) -> ConditionField | None:
    """The field of conditions on these columns; None where none is discrete."""
    choices: list[Choice] = []
    at = 0
    for column in columns:
        if isinstance(column, Discrete):
            choices.append(
                Choice(column=column.name, start=at, names=column.names, counts=column.counts)
            )
            at += column.categories
    return ConditionField(shape=(at,), choices=tuple(choices)) if choices else None


@dataclass(frozen=True)
class Stored:
    """Encoded rows.

    Attributes:
        scalars: Places of numbers in their modes, float32 (N, numbers), in the order of the row.
        codes: Which mode or category, int64 (N, one-hot spans), in the order of the row.
        field: What the rows become.
    """

    scalars: Tensor
    codes: Tensor
    field: RowField

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self, indices: Tensor) -> Tensor:
        """Encoded rows float32 (B, width) by number (B,)."""
        out = torch.zeros(len(indices), *self.field.shape)
        starts = [span.start for span in self.field.spans if span.part != "scalar"]
        places = [span.start for span in self.field.spans if span.part == "scalar"]
        if places:
            out[:, places] = self.scalars[indices]
        return out.scatter_(1, self.codes[indices] + torch.tensor(starts), 1.0)

    def discrete(self) -> NDArray[np.int64]:
        """Category numbers (N, discrete columns)."""
        parts = [span.part for span in self.field.spans if span.part != "scalar"]
        return self.codes[:, [i for i, part in enumerate(parts) if part == "category"]].numpy()


def own_conditions(
    codes: NDArray[np.int64],
    numbers: NDArray[np.int64],
    field: ConditionField,
    column: NDArray[np.int64] | None = None,
) -> Tensor:
    """A condition that each row meets: a column with its category.

    Over many rows the categories have the data's own frequencies, as samples without a condition
    of their own do.

    Args:
        codes: Category numbers (B, discrete columns) of some rows.
        numbers: Their numbers (B,).
        field: What conditions are.
        column: Which column (B,); None lets the row's number decide.

    Returns:
        One-hot conditions (B, categories).
    """
    if column is None:
        words = draw((0, COLUMN), numbers) % np.uint64(len(field.choices))
        column = words.astype(np.int64)
    starts = np.array([choice.start for choice in field.choices])
    place = starts[column] + codes[np.arange(len(codes)), column]
    return one_hot(place, field)


def one_hot(places: NDArray[np.int64], field: ConditionField) -> Tensor:
    """Conditions float32 (B, categories) that are 1 at some places (B,)."""
    out = torch.zeros(len(places), *field.shape)
    return out.scatter_(1, torch.from_numpy(places)[:, None], 1.0)
