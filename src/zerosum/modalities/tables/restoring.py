"""From numbers and plain values back to columns of a type, with its digits and its range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zerosum.errors import require
from zerosum.modalities.tables.columns import Number

if TYPE_CHECKING:
    import pandas as pd


def restored(column: Number, values: NDArray[np.float64], *, clip: bool = True) -> pd.Series:
    """Numbers or dates as the data have them: type, digits after the point, and range.

    Args:
        column: What they should be like.
        values: (N,), NaN being missing, in the column's unit.
        clip: Whether they are brought into the range of the data.
    """
    pd = require("pandas", "tables")
    low, high = (column.low, column.high) if clip else (-np.inf, np.inf)
    values = values.clip(low, high)
    if column.decimals is not None:
        # Rounding may leave the range by its last digit, which is none of the data's.
        values = np.round(values, column.decimals).clip(low, high)
    if not column.unit:
        whole = column.dtype.lower().startswith(("int", "uint"))
        objects = pd.Series(values)
        return (
            objects.astype("Int64").astype(column.dtype) if whole else objects.astype(column.dtype)
        )
    micro = np.round(values * column.unit * 1e6)
    whole = np.where(np.isnan(micro), np.iinfo(np.int64).min, micro).astype(np.int64)  # NaT
    moments = pd.Series(whole.view("datetime64[us]"))
    if column.date:
        return typed(moments.dt.strftime(column.date).tolist(), column.dtype)
    if "," in column.dtype:  # such as datetime64[ns, UTC]
        moments = moments.dt.tz_localize("UTC")
    return moments.astype(column.dtype)


def typed(values: Sequence[Any], dtype: str) -> pd.Series:
    """Values, None being missing, as a column of a type."""
    pd = require("pandas", "tables")
    objects = pd.Series(list(values), dtype=object)
    if dtype == "object":
        return objects
    if dtype in ("str", "string"):  # what pandas calls texts differs between its versions
        return (
            objects.astype(pd.Series(["text"]).dtype) if dtype == "str" else objects.astype(dtype)
        )
    if dtype.startswith("float"):
        return objects.astype("Float64").astype(dtype)
    return objects.astype(dtype)


def widened(values: Sequence[Any], dtype: str, most: int) -> pd.Series:
    """As `typed`, for whole numbers of up to `most`, which may have outgrown their type: a wider
    one then."""
    if dtype.lower().startswith(("int", "uint")) and most > np.iinfo(dtype.lower()).max:
        dtype = "Int64" if dtype[0].isupper() else "int64"
    return typed(values, dtype)
