"""The cells of a column as numbers, dates and plain values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zerosum.errors import UserError, require
from zerosum.modalities.tables.columns import Value

if TYPE_CHECKING:
    import pandas as pd

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2})?)?")
_MARKED = re.compile(r"[\W_]*\d[\d\W_]*")
_MOSTLY = 0.9  # share of texts from which they are all said to be of a kind
DAY = 86_400.0


def marked(values: Iterable[Any]) -> bool:
    """Whether nearly all texts are digits with marks, as in 1,234 or $5.00 or 31.12.2024."""
    some = [text for text in values if isinstance(text, str)]
    odd = sum(bool(_MARKED.fullmatch(text)) and not text.isdigit() for text in some)
    return bool(some) and odd >= _MOSTLY * len(some)


def date_format(seen: pd.Series) -> str:
    """The format of texts that are all dates such as 2024-01-31 or 2024-01-31 08:15:00; or ""."""
    first = next(iter(seen), None)
    if not isinstance(first, str) or not _DATE.fullmatch(first):
        return ""
    if not all(
        isinstance(text, str) and len(text) == len(first) and _DATE.fullmatch(text)
        for text in seen.unique()
    ):
        return ""
    if len(first) == 10:
        return "%Y-%m-%d"
    return f"%Y-%m-%d{first[10]}%H:%M" + (":%S" if len(first) == 19 else "")


def clock_of(series: pd.Series) -> tuple[str, float]:
    """The format of a column of dates and the seconds that one stands for; "" and 0 for others."""
    pd = require("pandas", "tables")
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return "", 1.0
    if pd.api.types.is_numeric_dtype(series.dtype):
        return "", 0.0
    date = date_format(series.dropna())
    return date, (DAY if len(date) == 8 else 1.0) if date else 0.0


def coarsest(seconds: NDArray[np.float64], unit: float) -> float:
    """The longest of a day, an hour and a minute that moments (N,) are whole multiples of, in
    seconds; the unit that they are in where it is none."""
    clocks = (DAY, 3_600.0, 60.0)
    return next((c for c in clocks if c > unit and not (seconds % c).any()), unit)


def numbers_of(series: pd.Series, *, date: str, unit: float) -> NDArray[np.float64]:
    """The values of a column of numbers or dates (N,), NaN where one is missing.

    Raises:
        UserError: A value that is no number; the message names it and its row.
    """
    pd = require("pandas", "tables")
    if unit:
        moments = pd.to_datetime(series, format=date or None, errors="coerce")
        wrong = (moments.isna() & series.notna()).to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            word = series.iloc[row]
            raise UserError(
                f"column '{series.name}' holds dates, and '{word}' (row {row + 1}) is none: mend "
                f"it, or say that it means a missing value with data.missing='[\"{word}\"]'"
            )
        zone = getattr(moments.dtype, "tz", None)
        moments = moments if zone is None else moments.dt.tz_convert("UTC").dt.tz_localize(None)
        # In nanoseconds, the year 9999, by which many mean no end, would not fit.
        since = moments.to_numpy("datetime64[us]") - np.datetime64(0, "us")
        return since / np.timedelta64(round(unit * 1e6), "us")
    found = pd.to_numeric(series, errors="coerce")
    wrong = found.isna() & series.notna()
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise UserError(
            f"column '{series.name}' holds numbers, not '{series.iloc[row]}' (row {row + 1})"
        )
    return found.astype("Float64").to_numpy(np.float64, na_value=np.nan)


def plain(value: Any) -> Value:
    """A value of a data frame in the type that JSON has for it."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    return str(value)
