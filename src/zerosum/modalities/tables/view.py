"""Tables as a judge sees them: columns of numbers and columns of category numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zerosum.errors import UserError, require
from zerosum.modalities.tables.values import date_format, numbers_of

if TYPE_CHECKING:
    import pandas as pd

FEW = 10
"""Different values up to which a column of numbers is judged as one of categories."""


@dataclass(frozen=True)
class View:
    """Columns that vary, in the order of the table but numbers first.

    Attributes:
        numbers: Values (N,) of columns of numbers and dates, NaN where missing.
        codes: Category numbers (N,) of the others, from 0; the last one is for missing values,
            the one before for values that the real table has not.
        sizes: How many category numbers each of those columns has.
        target: The column that is to be predicted.
    """

    numbers: Mapping[str, NDArray[np.float64]]
    codes: Mapping[str, NDArray[np.int64]]
    sizes: Mapping[str, int]
    target: str = ""

    def __len__(self) -> int:
        return len(next(iter((self.numbers or self.codes).values())))

    @property
    def names(self) -> list[str]:
        return [*self.numbers, *self.codes]

    def take(self, which: NDArray[np.int64]) -> View:
        """Some rows, by number."""
        numbers = {name: values[which] for name, values in self.numbers.items()}
        codes = {name: values[which] for name, values in self.codes.items()}
        return View(numbers, codes, self.sizes, self.target)


def views(
    real: pd.DataFrame | Sequence[Mapping[str, Any]],
    *others: pd.DataFrame | Sequence[Mapping[str, Any]],
    target: str = "",
) -> list[View]:
    """A real table and others, columns read alike.

    Numbers and dates of more than 10 different values are numbers; all else are categories. The
    real table says which, and which categories there are; columns in which it does not vary are
    left out, and identifiers that its codec made.

    Args:
        real: The real rows.
        *others: Generated or held-out rows with the same columns.
        target: The column to predict; empty takes what the real table's codec noted, or the last.

    Raises:
        UserError: A column is missing from one of the others, or the real table never varies.
    """
    pd = require("pandas", "tables")
    frames = [pd.DataFrame(table) for table in (real, *others)]
    first, noted = frames[0], getattr(real, "attrs", {})  # a new frame has none of them
    numbers: list[dict[str, NDArray[np.float64]]] = [{} for _ in frames]
    codes: list[dict[str, NDArray[np.int64]]] = [{} for _ in frames]
    sizes: dict[str, int] = {}
    for name in first.columns:
        if name in noted.get("identifiers", ()):
            continue
        column = first[name]
        seen = column.dropna()
        if seen.nunique() + (len(seen) < len(column)) < 2:
            continue
        for frame in frames:
            if name not in frame.columns:
                raise UserError(f"a table lacks the column '{name}' of the real one")
        date, unit = "", 0.0
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            unit = 1.0
        elif not pd.api.types.is_numeric_dtype(column.dtype):
            date = date_format(seen)
            unit = 1.0 if date else 0.0
        plain = pd.api.types.is_numeric_dtype(column.dtype) and column.dtype != bool
        if (plain or unit) and seen.nunique() > FEW:
            for frame, found in zip(frames, numbers):
                found[name] = numbers_of(frame[name], date=date, unit=unit)
        else:
            known = pd.Index(sorted(seen.astype(object).unique(), key=lambda v: (str(type(v)), v)))
            sizes[name] = len(known) + 2
            for frame, found in zip(frames, codes):
                found[name] = _codes(frame[name], known)
    if not numbers[0] and not codes[0]:
        raise UserError("no column of the real table varies: there is nothing to compare")
    varied = [name for name in first.columns if name in numbers[0] or name in codes[0]]
    target = target or str(noted.get("target", "")) or varied[-1]
    return [View(n, c, sizes, target) for n, c in zip(numbers, codes)]


def _codes(column: pd.Series, known: pd.Index) -> NDArray[np.int64]:
    places = known.get_indexer(column.astype(object))
    codes = np.where(places < 0, len(known), places)
    return np.where(column.isna().to_numpy(), len(known) + 1, codes).astype(np.int64)
