"""Two sets of molecules compared at equal numbers of heavy atoms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zerosum.metrics.score import Score

DRAWS = 2_000
"""Bootstrap samples."""
Floats = NDArray[np.float64]
Sizes = NDArray[np.int64]


def difference(
    before: tuple[Sizes, Floats], after: tuple[Sizes, Floats], seed: int = 0
) -> Score | None:
    """Mean of `after` minus that of `before`, at equal numbers of heavy atoms.

    Larger molecules dock better whatever they are. So means are compared within each number of
    heavy atoms, and the differences averaged with the smaller of the two counts as weight; a size
    that one side lacks does not count. The interval is the bootstrap's: molecules are drawn again
    within each size of each side, 2.5 and 97.5 % of 2,000 draws.

    Args:
        before: Heavy atoms (N,) and values (N,) without NaN.
        after: The same (M,).
        seed: Of the bootstrap.

    Returns:
        None where the sides share no size.
    """
    rng = np.random.default_rng(seed)
    value, draws, total = 0.0, np.zeros(DRAWS), 0
    for size in sorted(set(before[0].tolist()) & set(after[0].tolist())):
        sides = [values[sizes == size] for sizes, values in (before, after)]
        weight = min(len(side) for side in sides)
        value += weight * (sides[1].mean() - sides[0].mean())
        draws += weight * (_means(sides[1], rng) - _means(sides[0], rng))
        total += weight
    if not total:
        return None
    low, high = np.quantile(draws / total, [0.025, 0.975])
    return Score(
        value=value / total,
        interval=(float(low), float(high)),
        n_real=len(before[0]),
        n_fake=len(after[0]),
    )


def _means(values: Floats, rng: np.random.Generator) -> Floats:
    return values[rng.integers(len(values), size=(DRAWS, len(values)))].mean(1)
