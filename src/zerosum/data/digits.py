"""How finely numbers of a file are written, so that generated ones are written alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST = 12
"""Digits after the point beyond which numbers count as measured without a grid."""
_LOOKED = 1000  # values that are tried first


def decimals(values: NDArray[np.float64]) -> int | None:
    """Digits after the point that are enough for all values; None for more than 12."""
    some = values if len(values) <= _LOOKED else values[:: len(values) // _LOOKED]
    for digits in range(MOST + 1):
        if (np.round(some, digits) == some).all() and (np.round(values, digits) == values).all():
            return digits
    return None
