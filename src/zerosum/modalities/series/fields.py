"""A stretch of a time series as a field."""

from __future__ import annotations

from typing import Literal

from zerosum.data.fields import Field


class SeriesField(Field):
    """Steps of some channels, float32 (length, channels), scaled as the codec says."""

    kind: Literal["series"] = "series"
    shape: tuple[int, int] = (0, 0)
    """(length, channels)."""
    names: tuple[str, ...] = ()
    """Of the channels."""
