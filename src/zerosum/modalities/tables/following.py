"""Whether rows seem to follow each other in time, and so to be series rather than a table."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zerosum.errors import require
from zerosum.modalities.tables.columns import Column, Number
from zerosum.modalities.tables.frames import column as one
from zerosum.modalities.tables.values import numbers_of

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 50
"""Rows from which an order is no chance."""
_SERIES, _STEPS = 5, 4
"""Series, and rows of each in the mean, from which a column is said to tell them."""


def in_time(path: str, frame: pd.DataFrame, columns: Sequence[Column]) -> tuple[str, ...]:
    """A line with the command that learns rows as series; none where nothing speaks for it.

    One series where a column of dates runs through all rows in one direction. Several where the
    rows of each value of a column stand together, and some clock (dates, whole numbers) runs anew
    in each of them.

    Args:
        path: What the command names.
        frame: The rows in the order of the file.
        columns: What its columns are.
    """
    if len(frame) < _ROWS:
        return ()
    clocks = {name: (values, dated) for name, values, dated in _clocks(frame, columns)}
    quoted = shlex.quote(path)
    for name, (values, dated) in clocks.items():
        steps = np.diff(values)
        if dated and ((steps > 0).all() or (steps < 0).all()):
            return (
                f"rows are in the order of '{name}': to learn them as one series in time,  "
                f"zerosum train timegan --data {quoted}",
            )
    for name in map(str, frame.columns):
        begins = _begins(one(frame, name))
        if begins is None:
            continue
        for clock, (values, _) in clocks.items():
            steps, within = np.diff(values), ~begins[1:]
            if clock != name and (steps[within] > 0).all() and (steps[~within] <= 0).any():
                return (
                    f"rows of one '{name}' stand together in the order of '{clock}': to learn "
                    "each as a series,  "
                    f"zerosum train doppelganger --data {quoted} data.series={shlex.quote(name)}",
                )
    return ()


def _clocks(
    frame: pd.DataFrame, columns: Sequence[Column]
) -> Iterator[tuple[str, NDArray[np.float64], bool]]:
    """Columns without gaps that may tell a time: name, values (N,), whether they are dates."""
    pd = require("pandas", "tables")
    dates = {c.name: c for c in columns if isinstance(c, Number) and c.unit}
    for name, date in dates.items():
        values = numbers_of(one(frame, name), date=date.date, unit=date.unit)
        if not np.isnan(values).any():
            yield name, values, True
    for name in map(str, frame.columns):
        if name not in dates and pd.api.types.is_integer_dtype(frame[name].dtype):
            values = numbers_of(one(frame, name), date="", unit=0.0)
            if not np.isnan(values).any():
                yield name, values, False


def _begins(series: pd.Series) -> NDArray[np.bool_] | None:
    """Rows (N,) at which another value begins; None where rows of one do not stand together."""
    pd = require("pandas", "tables")
    try:
        codes, values = pd.factorize(series)
    except TypeError:  # lists and the like
        return None
    begins = np.concatenate([[True], codes[1:] != codes[:-1]])
    several = _SERIES <= len(values) <= len(series) / _STEPS
    return begins if several and begins.sum() == len(values) and (codes >= 0).all() else None
