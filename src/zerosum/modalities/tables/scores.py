"""How like a table generated rows are, how useful, and how near to the rows learned from.

Column shapes, pair trends and their mean are the three numbers of SDMetrics' quality report
(DataCebo 2023), written from their definitions. Training on synthetic rows and testing on real
ones is from Esteban, Hyland and Rätsch 2017, arXiv:1706.02633, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zerosum.errors import UserError
from zerosum.metrics.score import Score, around
from zerosum.modalities.tables.view import View

BINS = 10
"""Bins of equal width, over the real range, of a number beside a category."""
CORRELATED, ASSOCIATED = 0.5, 0.3
"""Correlation and Cramér's V from which a pair of real columns is related."""

_CHUNK = 256  # rows whose distances to all others are held at once


class Pair(NamedTuple):
    """How two columns hang together.

    Attributes:
        likeness: Of the generated pair to the real one, 1 is the same.
        strength: How strongly the real columns hang together, 0 to 1.
        related: Whether that is enough to be counted.
    """

    likeness: float
    strength: float
    related: bool


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
    """Likeness of each column alone.

    Numbers: 1 less the Kolmogorov-Smirnov distance, a missing value counting as one below all
    others. Categories: 1 less the total variation distance.
    """
    found = {
        name: 1 - ks_distance(real.numbers[name], fake.numbers[name]) for name in real.numbers
    }
    for name, size in real.sizes.items():
        one = np.bincount(real.codes[name], minlength=size) / len(real)
        other = np.bincount(fake.codes[name], minlength=size) / len(fake)
        found[name] = 1 - float(np.abs(one - other).sum()) / 2
    return found


def pair_trends(*, real: View, fake: View) -> dict[tuple[str, str], Pair]:
    """Likeness of each pair of columns.

    Two columns of numbers: 1 less half the difference of Pearson's correlations, over the rows
    that have both; related where the real correlation is beyond 0.5. Else: 1 less the total
    variation distance of the two contingency tables, in which numbers are put into 10 bins of
    equal width over the real range; related where Cramér's V of the real table is above 0.3.
    Unrelated pairs say nothing about trends: independent columns have them right.
    """
    sizes = dict(real.sizes)
    ones, others = dict(real.codes), dict(fake.codes)
    for name, values in real.numbers.items():
        edges = _edges(values)
        ones[name], others[name] = _binned(values, edges), _binned(fake.numbers[name], edges)
        sizes[name] = len(edges) + 2
    found: dict[tuple[str, str], Pair] = {}
    for a, b in combinations(real.names, 2):
        if a in real.numbers and b in real.numbers:
            truth = correlation(real.numbers[a], real.numbers[b])
            made = correlation(fake.numbers[a], fake.numbers[b])
            strength = abs(truth)
            found[a, b] = Pair(1 - abs(truth - made) / 2, strength, strength > CORRELATED)
            continue
        shape = (sizes[a], sizes[b])
        one, other = (_contingency(x[a], x[b], shape) for x in (ones, others))
        strength = cramers_v(one)
        likeness = 1 - float(np.abs(one / one.sum() - other / other.sum()).sum()) / 2
        found[a, b] = Pair(likeness, strength, strength > ASSOCIATED)
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
    """The greatest difference of two empirical distribution functions, NaN lying below all."""
    one, other = (np.sort(np.where(np.isnan(x), -np.inf, x)) for x in (one, other))
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


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    seen = values[np.isfinite(values)]
    if not len(seen):
        return np.zeros(0)
    return np.linspace(seen.min(), seen.max(), BINS + 1)[1:-1]


def _binned(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    codes = np.searchsorted(edges, values, side="right")
    return np.where(np.isnan(values), len(edges) + 1, codes)


class Utility(NamedTuple):
    """How well a classifier or regressor predicts the real held-out rows.

    Attributes:
        synthetic: Trained on generated rows (TSTR).
        real: Trained on real rows (TRTR), the ceiling.
        measure: `auc` (chance is 0.5) or `r2` (the mean is 0).
    """

    synthetic: Score
    real: Score
    measure: str


def utility(*, real: View, fake: View, held_out: View, seed: int = 0) -> Utility:
    """Train on generated rows, test on real ones; beside it, train on real rows.

    Histogram gradient boosting of scikit-learn with its default settings. For a target of
    categories: the area under the ROC curve of the last category that the held-out rows hold
    (`>50K` of adult) against the others. For one of numbers: R^2.

    Args:
        real: Real training rows; their `target` is predicted.
        fake: Generated rows.
        held_out: Real rows that nothing was learned from.
        seed: Of the boosting.

    Raises:
        UserError: There is no such column, or its held-out values are all alike.
    """
    target = real.target
    if target not in real.names:
        raise UserError(
            f"no column '{target}' to predict: set data.target to one of {', '.join(real.names)}"
        )
    if target in real.numbers:
        scores = [_r2(train, held_out, target, seed) for train in (fake, real)]
        return Utility(scores[0], scores[1], "r2")
    present = np.unique(held_out.codes[target])
    known = present[present < real.sizes[target] - 2]
    if len(present) < 2 or not len(known):
        raise UserError(f"the held-out rows have one value of '{target}': nothing to predict")
    scores = [_auc(train, held_out, target, int(known[-1]), seed) for train in (fake, real)]
    return Utility(scores[0], scores[1], "auc")


def _inputs(rows: View, target: str) -> tuple[NDArray[np.float64], list[bool]]:
    columns, discrete = [], []
    for name in rows.names:
        if name == target:
            continue
        if name in rows.numbers:
            columns.append(rows.numbers[name])
            discrete.append(False)
        else:
            codes = rows.codes[name].astype(np.float64)
            # Boosting takes 255 categories at most; missing ones are its own affair.
            codes[codes >= min(rows.sizes[name] - 1, 255)] = np.nan
            columns.append(codes)
            discrete.append(True)
    return np.stack(columns, 1), discrete


def _auc(train: View, test: View, target: str, positive: int, seed: int) -> Score:
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, discrete = _inputs(train, target)
    y = train.codes[target] == positive
    truth = test.codes[target] == positive
    if y.all() or not y.any():  # nothing to learn: every row gets the same answer
        return Score(value=0.5, n_real=len(test), n_fake=len(train))
    model = HistGradientBoostingClassifier(random_state=seed % 2**32)
    model.set_params(categorical_features=discrete)
    chances = model.fit(x, y).predict_proba(_inputs(test, target)[0])[:, 1]
    value, variance = area(chances[truth], chances[~truth])
    return Score(
        value=value, interval=around(value, variance), n_real=len(test), n_fake=len(train)
    )


def area(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> tuple[float, float]:
    """Area under the ROC curve, and its variance over test rows (DeLong et al. 1988).

    Args:
        positive: Scores (P,) of the rows of the class.
        negative: Scores (N,) of the others.
    """
    from scipy.stats import rankdata

    p, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[:p] - rankdata(positive)) / n  # share of negatives below each positive
    below = 1 - (ranks[p:] - rankdata(negative)) / p
    parts = [x.var(ddof=1) / len(x) if len(x) > 1 else 0.0 for x in (above, below)]
    return float(above.mean()), float(sum(parts))


def _r2(train: View, test: View, target: str, seed: int) -> Score:
    from sklearn.ensemble import HistGradientBoostingRegressor

    x, discrete = _inputs(train, target)
    y, truth = train.numbers[target], test.numbers[target]
    kept, there = np.isfinite(y), np.isfinite(truth)
    model = HistGradientBoostingRegressor(random_state=seed % 2**32)
    model.set_params(categorical_features=discrete)
    model.fit(x[kept], y[kept])
    error = truth[there] - model.predict(_inputs(test, target)[0][there])
    value = 1 - float((error**2).sum() / ((truth[there] - truth[there].mean()) ** 2).sum())
    return Score(value=value, n_real=len(test), n_fake=len(train))


@dataclass(frozen=True)
class Closeness:
    """How near generated rows are to the training rows, beside how near held-out rows are.

    Attributes:
        fake: Median distance of generated rows to their closest training row.
        held_out: The same of held-out rows: what rows of the law that copy nobody have.
        ratio: The one over the other: far below 1 means copies.
        copies: Share of generated rows that equal a training row, and of held-out rows.
        n: Rows of each kind.
    """

    fake: float
    held_out: float
    ratio: Score
    copies: tuple[float, float]
    n: int


def closest(*, train: View, fake: View, held_out: View, n: int = 1000, seed: int = 0) -> Closeness:
    """Distance to the closest record, of generated and of held-out rows.

    The distance of two rows is the mean over columns (Gower 1971) of the difference of numbers
    over their training range, at most 1, or of 0 and 1 for equal and unequal categories; a number
    that one row lacks is 1 away.

    Args:
        train: Rows that were learned from.
        fake: Generated rows.
        held_out: Rows that were not learned from.
        n: Most rows of each kind that are looked at, chosen by the seed.
        seed: Of the choice.
    """
    n = min(n, len(fake), len(held_out))
    rng = np.random.default_rng(seed)
    found = [
        nearest_rows(rows, train, rng.permutation(len(rows))[:n])[0] for rows in (fake, held_out)
    ]
    made, kept = (float(np.median(x)) for x in found)
    ratio = made / kept if kept else float(made > 0)
    copies = tuple(float((x < 1e-9).mean()) for x in found)
    score = Score(value=ratio, null=1.0, n_real=n, n_fake=n)
    return Closeness(made, kept, score, (copies[0], copies[1]), n)


def nearest_rows(
    rows: View, train: View, which: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distances of rows to their closest training rows, and the numbers of those.

    Args:
        rows: Some rows.
        train: The training rows.
        which: Numbers of the rows to look at (M,); None takes all.

    Returns:
        Distances (M,), as `closest` has them, and numbers (M,).
    """
    which = np.arange(len(rows)) if which is None else which
    found, places = [], []
    for start in range(0, len(which), _CHUNK):
        some = which[start : start + _CHUNK]
        total = np.zeros((len(some), len(train)), dtype=np.float32)
        for name, values in train.numbers.items():
            seen = values[np.isfinite(values)]
            span = float(np.ptp(seen)) or 1.0
            ones = (rows.numbers[name][some] / span).astype(np.float32)
            others = (values / span).astype(np.float32)
            apart = np.abs(ones[:, None] - others).clip(max=1.0)
            none = np.isnan(ones)[:, None] & np.isnan(others)
            total += np.where(none, 0.0, np.nan_to_num(apart, nan=1.0))
        for name, codes in train.codes.items():
            total += rows.codes[name][some][:, None].astype(np.int32) != codes.astype(np.int32)
        places.append(total.argmin(1))
        found.append(total.min(1) / len(train.names))
    return np.concatenate(found).astype(np.float64), np.concatenate(places).astype(np.int64)
