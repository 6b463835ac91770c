"""From values to one score: desirabilities in [0, 1] and their weighted geometric mean.

Derringer and Suich 1980, J. Quality Technology 12, 214: a molecule that fails altogether in one
property is worth nothing, however good it is in the others. An arithmetic mean would let a search
buy docking with molecules that cannot be made.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def desirability(values: Values, low: float, high: float) -> Values:
    """Values (N,) as shares of the way from low to high, cut to [0, 1]; NaN stays.

    Args:
        values: In any unit.
        low: Where the desirability is 0.
        high: Where it is 1; below `low` where less is better.
    """
    return np.clip((values - low) / (high - low), 0.0, 1.0)


def geometric_mean(parts: Values, weights: Sequence[float]) -> Values:
    """The weighted geometric mean (N,) of desirabilities (P, N); NaN where any part is NaN.

    Args:
        parts: In [0, 1].
        weights: One above 0 for each part.
    """
    share = np.asarray(weights, dtype=np.float64)
    share = share / share.sum()
    with np.errstate(divide="ignore"):  # log of 0 is -inf, and its exponential 0 again
        return np.exp(share @ np.log(parts)) if len(parts) else np.ones(parts.shape[1:])
