"""Parts of data frames, as what they are: pandas' own types leave open what an index gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pandas as pd


def column(frame: pd.DataFrame, name: str) -> pd.Series:
    """One column."""
    return cast("pd.Series", frame[name])


def part(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Some columns, in the order of the names."""
    return cast("pd.DataFrame", frame[list(names)])
