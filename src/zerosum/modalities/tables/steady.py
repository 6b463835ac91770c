"""Rows in which a number is its distance from the mean: for detectors, and to fill gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.columns import Column, Number
from zerosum.modalities.tables.fitting import fit_columns
from zerosum.modalities.tables.frames import column as one
from zerosum.modalities.tables.kinds import Rules
from zerosum.modalities.tables.stored import Stored
from zerosum.modalities.tables.values import numbers_of

if TYPE_CHECKING:
    import pandas as pd

SCALE = 4.0
"""Standard deviations that a number of 1 stands for in an encoded row."""


class SteadyCodec(TableCodec):
    """Rows of plain numbers: each is its distance from the mean, however far, and never drawn.

    The modes of `TableCodec` cut a number off at four standard deviations, and draw the mode by
    the row's place. What is far out must stay so here, and a row must be the same wherever it is.
    """

    @classmethod
    def fit(cls, frame: pd.DataFrame, rules: Rules | None = None, target: str = "") -> Self:
        columns: list[Column] = []
        for column in fit_columns(frame, rules or Rules(distinct=2)):
            if isinstance(column, Number):
                values = numbers_of(one(frame, column.name), date=column.date, unit=column.unit)
                alone = {"means": (float(np.nanmean(values)),), "weights": (1.0,), "spikes": ()}
                alone["offset"] = None
                alone["stds"] = (float(np.nanstd(values)),)
                column = column.model_copy(update=alone)
            columns.append(column)
        return cls(columns, target)

    def _stored(self, frame: pd.DataFrame) -> Stored:
        found = super()._stored(frame)
        numbers = [column for column in self.learned if isinstance(column, Number)]
        for place, column in enumerate(numbers):
            values = numbers_of(one(frame, column.name), date=column.date, unit=column.unit)
            z = (values - column.means[0]) / column.stds[0] / SCALE
            found.scalars[:, place] = torch.from_numpy(np.nan_to_num(z)).float()
        return found
