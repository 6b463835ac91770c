"""How like a table generated rows are: column shapes, pair trends, and their mean.

They are the three numbers of SDMetrics' quality report (DataCebo 2023) with its default settings,
written from their definitions and equal to its values (version 0.32.0) to 1e-6.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zerosum.metrics.score import Score
from zerosum.modalities.tables.view import View

BINS = 10
"""Bins of equal width, over a table's own range, of a number beside a category."""
CORRELATED, ASSOCIATED = 0.5, 0.3
"""Correlation and Cramér's V from which a pair of real columns is related."""


class Pair(NamedTuple):
    """How two columns hang together.

    Attributes:
        likeness: Of the generated pair to the real one, 1 is the same.
        strength: How strongly the real columns hang together, 0 to 1.
        related: Whether that is enough to be counted.
        made: How strongly the generated columns do.
    """

    likeness: float
    strength: float
    related: bool
    made: float


class Quality(NamedTuple):
    """How like the real table the generated one is: 1 is the same.

    Attributes:
        shapes: Mean over the columns.
        pairs: Mean over the related pairs of columns, over all where none is related.
        overall: Mean of the two.
        by_column: Each column's share in `shapes`.
        by_pair: All pairs.
    """

    shapes: Score
    pairs: Score
    overall: Score
    by_column: Mapping[str, float]
    by_pair: Mapping[tuple[str, str], Pair]


def quality(*, real: View, fake: View) -> Quality:
    """Column shapes, pair trends and overall quality.

    Args:
        real: Real rows.
        fake: Generated rows.
    """
    by_column = column_shapes(real=real, fake=fake)
    by_pair = pair_trends(real=real, fake=fake)
    shapes = float(np.mean(list(by_column.values())))
    counted = [pair for pair in by_pair.values() if pair.related] or list(by_pair.values())
    # A table of one column has no pairs: its shape is all there is.
    pairs = float(np.mean([pair.likeness for pair in counted])) if counted else shapes

    def score(value: float) -> Score:
        return Score(value=value, n_real=len(real), n_fake=len(fake))

    return Quality(
        score(shapes),
        score(pairs),
        score((shapes + pairs) / 2),
        by_column,
        by_pair,
    )


def column_shapes(*, real: View, fake: View) -> dict[str, float]:
    """Likeness of each column alone, over the rows that have a value.

    Numbers: 1 less the Kolmogorov-Smirnov distance. Categories: 1 less the total variation
    distance. A generated column without any value is unlike: 0. How many values are missing is
    told by `missing_rates`.
    """
    found = {
        name: 1 - ks_distance(real.numbers[name], fake.numbers[name]) for name in real.numbers
    }
    for name, size in real.sizes.items():
        counts = [np.bincount(x.codes[name], minlength=size)[: size - 1] for x in (real, fake)]
        one, other = (n / max(n.sum(), 1) for n in counts)
        found[name] = 1 - float(np.abs(one - other).sum()) / 2 if counts[1].any() else 0.0
    return found


def missing_rates(*, real: View, fake: View) -> float:
    """1 less the mean over the columns of the difference of the shares of missing values."""
    gaps = [
        abs(float(np.isnan(real.numbers[name]).mean() - np.isnan(fake.numbers[name]).mean()))
        for name in real.numbers
    ]
    for name, size in real.sizes.items():
        shares = [float((x.codes[name] == size - 1).mean()) for x in (real, fake)]
        gaps.append(abs(shares[0] - shares[1]))
    return 1 - float(np.mean(gaps))


def column_coverage(*, real: View, fake: View) -> float:
    """Mean over the columns of the share of what the real one has that comes up.

    Categories: the share of them that are generated at all. Numbers: the share of the real range
    that the generated ones span.
    """
    found = []
    for name, values in real.numbers.items():
        (low, high), made = _ends(values), _ends(fake.numbers[name])
        found.append(max(min(made[1], high) - max(made[0], low), 0.0) / ((high - low) or 1.0))
    for name, size in real.sizes.items():
        there, here = (np.bincount(x.codes[name], minlength=size) > 0 for x in (real, fake))
        there[size - 2] = False  # values that the real table has not
        found.append(float(here[there].mean()))
    return float(np.mean(found))


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    seen = values[np.isfinite(values)]
    return (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 0.0)


def pair_trends(*, real: View, fake: View) -> dict[tuple[str, str], Pair]:
    """Likeness of each pair of columns.

    Two columns of numbers: 1 less half the difference of Pearson's correlations, over the rows
    that have both; related where the real correlation is beyond 0.5. Else: 1 less the total
    variation distance of the two contingency tables, in which numbers are put into 10 bins of
    equal width over each table's own range, its greatest value and the missing ones into one more;
    related where Cramér's V of the real table is above 0.3. Unrelated pairs say nothing about
    trends: independent columns have them right.
    """
    sizes = dict(real.sizes)
    ones, others = dict(real.codes), dict(fake.codes)
    for name, values in real.numbers.items():
        ones[name], others[name] = _binned(values), _binned(fake.numbers[name])
        sizes[name] = BINS + 2
    found: dict[tuple[str, str], Pair] = {}
    for a, b in combinations(real.names, 2):
        if a in real.numbers and b in real.numbers:
            truth = correlation(real.numbers[a], real.numbers[b])
            made = correlation(fake.numbers[a], fake.numbers[b])
            strength = abs(truth)
            likeness = 1 - abs(truth - made) / 2
            found[a, b] = Pair(likeness, strength, strength > CORRELATED, abs(made))
            continue
        shape = (sizes[a], sizes[b])
        one, other = (_contingency(x[a], x[b], shape) for x in (ones, others))
        strength = cramers_v(one)
        likeness = 1 - float(np.abs(one / one.sum() - other / other.sum()).sum()) / 2
        found[a, b] = Pair(likeness, strength, strength > ASSOCIATED, cramers_v(other))
    return found


def cramers_v(table: NDArray[np.int64]) -> float:
    """Cramér's V of a contingency table of counts (R, C), 0 to 1, without a correction."""
    table = table[table.any(1)][:, table.any(0)]
    if min(table.shape) < 2:
        return 0.0
    n = table.sum()
    expected = np.outer(table.sum(1), table.sum(0)) / n
    chi = ((table - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi / n / (min(table.shape) - 1)))


def _contingency(
    one: NDArray[np.int64], other: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.int64]:
    return np.bincount(one * shape[1] + other, minlength=shape[0] * shape[1]).reshape(shape)


def ks_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The greatest difference of two empirical distribution functions; NaN is left out.

    Where one has no values at all it is 1.
    """
    one, other = (np.sort(x[~np.isnan(x)]) for x in (one, other))
    if not len(one) or not len(other):
        return 1.0
    points = np.concatenate([one, other])
    steps = [np.searchsorted(x, points, side="right") / len(x) for x in (one, other)]
    return float(np.abs(steps[0] - steps[1]).max())


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Pearson's correlation over the rows that have both; 0 where a column does not vary."""
    both = np.isfinite(one) & np.isfinite(other)
    one, other = one[both], other[both]
    if len(one) < 2 or one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _binned(values: NDArray[np.float64]) -> NDArray[np.int64]:
    seen = values[np.isfinite(values)]
    edges = np.linspace(seen.min(), seen.max(), BINS + 1) if len(seen) else np.zeros(BINS + 1)
    return np.digitize(values, edges)  # of NaN: the last one
