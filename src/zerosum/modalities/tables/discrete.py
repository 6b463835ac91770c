"""Columns of categories: from values to numbers and back, and which rare value a row holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zerosum.data.order import draw
from zerosum.errors import UserError, nearest
from zerosum.modalities.tables.columns import Discrete
from zerosum.modalities.tables.fitting import SEED
from zerosum.modalities.tables.restoring import typed
from zerosum.modalities.tables.stored import RARE
from zerosum.modalities.tables.values import plain

if TYPE_CHECKING:
    import pandas as pd

SETTLED = 2
"""What is added to the number of a rare value where a row says which it holds."""


def codes_of(column: Discrete, series: pd.Series) -> NDArray[np.int64]:
    """Category numbers (N,) of a column's values.

    Raises:
        UserError: A value that was not among the training rows; the message names it.
    """
    numbers: dict[Any, int] = {value: i for i, value in enumerate(column.values)}
    numbers |= dict.fromkeys(column.rare, len(column.values))
    absent = series.isna().to_numpy()
    text = all(isinstance(value, str) for value in column.values)
    codes = np.full(len(series), -1, dtype=np.int64)
    kept = np.flatnonzero(~absent)
    values = series.to_numpy(dtype=object)
    codes[kept] = [numbers.get(str(v) if text else plain(v), -1) for v in values[kept]]
    codes[absent] = column.categories - 1 if column.missing else -1
    if (codes < 0).any():
        row = int((codes < 0).argmax())
        value = "a missing value" if absent[row] else f"'{values[row]}'"
        raise UserError(
            f"column '{column.name}' knows no category {value} (row {row + 1}): it was not among "
            f"the training rows; {nearest(str(values[row]), column.names)}"
        )
    return codes


def values_of(
    column: Discrete, row: NDArray[np.float64], number: int, first: int = 0
) -> pd.Series:
    """The values of encoded rows (N, categories) of the `number`-th learned column, the `first`-th
    row of a table and those after it."""
    joint: list[Any] = [*column.values]
    if column.rare:
        joint.append(None)
    if column.missing:
        joint.append(None)
    values = [joint[i] for i in row.argmax(1).tolist()]
    here, picked = rare_of(column, row, number, first)
    for place, which in zip(here.tolist(), picked.tolist()):
        values[place] = column.rare[which]
    return typed(values, column.dtype)


def rare_of(
    column: Discrete, row: NDArray[np.float64], number: int, first: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which rows (N, categories) hold rare values, and which ones: settled, or drawn by place."""
    if not column.rare:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    place = len(column.values)
    here = np.flatnonzero(row.argmax(1) == place)
    words = draw((SEED, RARE, number), here + first)
    level = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    shares = np.cumsum(column.rare_counts) / sum(column.rare_counts)
    picked = np.searchsorted(shares, level, side="right").clip(max=len(column.rare) - 1)
    said = row[here, place]
    return here, np.where(said >= SETTLED, said - SETTLED, picked).astype(np.int64)


def known_as(value: Any, values: set[Any]) -> bool:
    """Whether a value is one of some, as it is or as text."""
    return value in values or str(value) in values
