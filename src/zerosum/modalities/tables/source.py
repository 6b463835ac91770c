"""Rows to learn from, drawn as training by sampling has it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from zerosum.data.fields import Field
from zerosum.data.source import Source
from zerosum.data.visits import Visits
from zerosum.modalities.tables.fields import ConditionField
from zerosum.modalities.tables.stored import (
    CATEGORY,
    COLUMN,
    ROW,
    Stored,
    one_hot,
    own_conditions,
)


class TableSource(Source):
    """Encoded rows, each with a condition that it meets.

    Without visits these are the rows in their order. A visit draws (Xu et al. 2019, section 4.3) a
    discrete column, each alike; one of its categories, in proportion to the logarithm of its
    frequency; and a row that holds it. Rare categories are then seen often enough to be learned,
    and the condition tells the networks which one was asked for. The number of the row that was
    asked for is then without meaning; tables without a discrete column are visited row by row.

    Args:
        stored: The rows.
        condition: What conditions are; None where no column is discrete.
        name: Set and part, such as `adult/train`.
        notes: What was decided while reading.
        balanced: Whether visits are drawn so; else each row is visited as often, with a condition
            that it meets: a column drawn for the visit, and the category that the row has.
    """

    def __init__(
        self,
        stored: Stored,
        condition: ConditionField | None,
        *,
        name: str,
        notes: tuple[str, ...] = (),
        balanced: bool = True,
    ) -> None:
        self._stored, self._condition, self._balanced = stored, condition, balanced
        self.name, self.notes = name, notes
        fields: dict[str, Field] = {"row": stored.field}
        if condition is not None:
            fields["condition"] = condition
            self._codes = stored.discrete()
            self._law = _Law(self._codes, condition)
        self.fields = fields

    def __len__(self) -> int:
        return len(self._stored)

    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        rows = torch.as_tensor(indices, dtype=torch.int64)
        if self._condition is None:
            return {"row": self._stored.rows(rows)}
        if visits is None or not self._balanced:
            numbers = rows.numpy()
            column = None if visits is None else visits.below(self._law.columns, COLUMN)
            codes = self._codes[numbers]
            condition = own_conditions(codes, numbers, self._condition, column)
        else:
            places, numbers = self._law.draw(visits)
            rows, condition = torch.from_numpy(numbers), one_hot(places, self._condition)
        return {"row": self._stored.rows(rows), "condition": condition}


class _Law:
    """Which condition a visit has, and which row meets it."""

    def __init__(self, codes: np.ndarray, field: ConditionField) -> None:
        starts = np.array([choice.start for choice in field.choices])
        places = (codes + starts).T.ravel()  # column by column: which place each row fills
        count = int(field.shape[0])
        # Rows by the place that they fill, all columns in one list.
        self._rows = np.argsort(places, kind="stable") % len(codes)
        self._held = np.bincount(places, minlength=count)
        self._first = np.concatenate([[0], np.cumsum(self._held)[:-1]])
        logs = np.log1p(self._held)
        levels = []
        for number, choice in enumerate(field.choices):
            share = np.cumsum(logs[choice.start : choice.start + len(choice.names)])
            levels.append(number + share / share[-1])
        self._levels = np.concatenate(levels)
        self.columns = len(field.choices)

    def draw(self, visits: Visits) -> tuple[np.ndarray, np.ndarray]:
        """Places in the condition (B,) and numbers of rows (B,)."""
        column = visits.below(self.columns, COLUMN)
        level = column + visits.uniform(CATEGORY)
        places = np.searchsorted(self._levels, level, side="right")
        within = visits.below(self._held[places], ROW)
        return places, self._rows[self._first[places] + within]
