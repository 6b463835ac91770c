"""How useful generated rows are for learning from, and whether a classifier tells them apart.

Training on synthetic rows and testing on real ones is from Esteban, Hyland and Rätsch 2017,
arXiv:1706.02633, section 4; telling the two apart by a trained classifier from Yoon, Jarrett and
van der Schaar 2019 (TimeGAN), section 5.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zerosum.errors import UserError
from zerosum.metrics.score import Score, around
from zerosum.modalities.tables.view import View

LEARNERS = ("boosting", "forest", "linear")
"""Histogram gradient boosting, a random forest, and a logistic or ridge regression, all of
scikit-learn with its default settings."""

_DRAWS = 400  # of a bootstrap
_MOST = 255  # categories that boosting takes of a column


class Utility(NamedTuple):
    """How well a classifier or regressor predicts the real held-out rows.

    Attributes:
        synthetic: Trained on generated rows (TSTR), by the name of the measure: `auc` (chance is
            0.5) and `f1` of the class, or `r2` (the mean is 0).
        real: Trained on real rows (TRTR), the ceiling.
    """

    synthetic: dict[str, Score]
    real: dict[str, Score]


def utility(
    *, real: View, fake: View, held_out: View, seed: int = 0, learner: str = LEARNERS[0]
) -> Utility:
    """Train on generated rows, test on real ones; beside it, train on real rows.

    For a target of categories: the area under the ROC curve, and F1 at a chance of one half, of
    the last category that the held-out rows hold (`>50K` of adult) against the others. For one of
    numbers: R^2.

    Args:
        real: Real training rows; their `target` is predicted.
        fake: Generated rows.
        held_out: Real rows that nothing was learned from.
        seed: Of the learner and of intervals over test rows.
        learner: One of `LEARNERS`.

    Raises:
        UserError: There is no such column, or its held-out values are all alike.
    """
    target = real.target
    if target not in real.names:
        raise UserError(
            f"no column '{target}' to predict: set data.target to one of {', '.join(real.names)}"
        )
    if target in real.numbers:
        scores = [_regression(rows, held_out, target, seed, learner) for rows in (fake, real)]
        return Utility(scores[0], scores[1])
    present = np.unique(held_out.codes[target])
    known = present[present < real.sizes[target] - 2]
    if len(present) < 2 or not len(known):
        raise UserError(f"the held-out rows have one value of '{target}': nothing to predict")
    last = int(known[-1])
    scores = [_classes(rows, held_out, target, last, seed, learner) for rows in (fake, real)]
    return Utility(scores[0], scores[1])


def discriminative(*, real: View, fake: View, seed: int = 0) -> Score:
    """Area under the ROC curve of a classifier that tells generated rows from real ones.

    Boosting learns from one half of as many rows of each and is tested on the other: 0.5 means
    that it cannot tell them apart, 1 that it always can.

    Args:
        real: Real rows.
        fake: Generated rows.
        seed: Of the halves and of the boosting.
    """
    n = min(len(real), len(fake))
    rng = np.random.default_rng(seed)
    inputs = [_inputs(rows, "", LEARNERS[0])[0][rng.permutation(len(rows))[:n]]
              for rows in (real, fake)]  # fmt: skip
    model = _model(LEARNERS[0], _inputs(real, "", LEARNERS[0])[1], seed, classes=True)
    half = n // 2
    x = np.concatenate([one[:half] for one in inputs])
    model.fit(x, np.repeat([0, 1], half))
    chances = [model.predict_proba(one[half:])[:, 1] for one in inputs]
    value, variance = area(chances[1], chances[0])
    return Score(value=value, interval=around(value, variance), null=0.5, n_real=n, n_fake=n)


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


def f1(truth: NDArray[np.bool_], said: NDArray[np.bool_], seed: int = 0) -> Score:
    """F1 of a class, the harmonic mean of precision and recall, with a bootstrap over rows.

    Args:
        truth: Which rows (N,) are of the class.
        said: Which ones are said to be.
        seed: Of the bootstrap.
    """
    kinds = np.array([(truth & said).sum(), (truth ^ said).sum(), (~truth & ~said).sum()])
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(truth), kinds / kinds.sum(), _DRAWS)
    value = _f1(kinds)
    low, high = np.quantile([_f1(counts) for counts in drawn], [0.025, 0.975])
    return Score(value=value, interval=(float(low), float(high)), n_real=len(truth))


def _f1(kinds: NDArray[np.int64]) -> float:
    """From counts of right hits, of errors, and of right refusals."""
    hits, errors = int(kinds[0]), int(kinds[1])
    return 2 * hits / (2 * hits + errors) if hits else 0.0


def chances(
    train: View,
    test: View,
    target: str,
    positive: int,
    *,
    seed: int = 0,
    learner: str = LEARNERS[0],
    weighed: bool = False,
) -> NDArray[np.float64]:
    """Probabilities (N,) of a class that a learner gives to the rows of a test.

    Args:
        train: Rows that are learned from.
        test: Rows that are judged.
        target: The column of classes.
        positive: The class, by its number.
        seed: Of the learner.
        learner: One of `LEARNERS`.
        weighed: Weigh rows so that both classes count alike.
    """
    x, kinds = _inputs(train, target, learner)
    y = train.codes[target] == positive
    if y.all() or not y.any():  # nothing to learn: every row gets the same answer
        return np.full(len(test), float(y.all()))
    model = _model(learner, kinds, seed, classes=True)
    if weighed:
        last = model[-1] if learner == "linear" else model
        last.set_params(class_weight="balanced")
    return model.fit(x, y).predict_proba(_inputs(test, target, learner)[0])[:, 1]


def _classes(
    train: View, test: View, target: str, positive: int, seed: int, learner: str
) -> dict[str, Score]:
    said = chances(train, test, target, positive, seed=seed, learner=learner)
    truth = test.codes[target] == positive
    value, variance = area(said[truth], said[~truth])
    counts: Any = {"n_real": len(test), "n_fake": len(train)}
    auc = Score(value=value, interval=around(value, variance), **counts)
    found = f1(truth, said > 0.5, seed)
    return {"auc": auc, "f1": Score(value=found.value, interval=found.interval, **counts)}


def _regression(train: View, test: View, target: str, seed: int, learner: str) -> dict[str, Score]:
    x, kinds = _inputs(train, target, learner)
    y, truth = train.numbers[target], test.numbers[target]
    kept, there = np.isfinite(y), np.isfinite(truth)
    model = _model(learner, kinds, seed, classes=False).fit(x[kept], y[kept])
    wanted = truth[there]
    error = (wanted - model.predict(_inputs(test, target, learner)[0][there])) ** 2

    def r2(rows: NDArray[np.int64]) -> float:
        spread = ((wanted[rows] - wanted[rows].mean()) ** 2).sum()
        return 1 - float(error[rows].sum() / spread) if spread else 0.0

    rng, n = np.random.default_rng(seed), len(wanted)
    draws = [r2(rng.integers(n, size=n)) for _ in range(_DRAWS)]
    low, high = np.quantile(draws, [0.025, 0.975])
    score = Score(
        value=r2(np.arange(n)),
        interval=(float(low), float(high)),
        n_real=len(test),
        n_fake=len(train),
    )
    return {"r2": score}


def _inputs(rows: View, target: str, learner: str) -> tuple[NDArray[np.float64], list[bool]]:
    """Columns (N, K) that a learner reads, and which of them are category numbers.

    Boosting knows categories and missing values; the others get categories one-hot, and for a
    missing number the mean and a mark.
    """
    columns, discrete = [], []
    for name in rows.names:
        if name == target:
            continue
        if learner == LEARNERS[0]:
            values = rows.numbers.get(name)
            if values is None:
                values = rows.codes[name].astype(np.float64)
                # Boosting takes 255 categories at most; missing ones are its own affair.
                values[values >= min(rows.sizes[name] - 1, _MOST)] = np.nan
            columns.append(values[:, None])
            discrete.append(name in rows.codes)
        elif name in rows.numbers:
            values = rows.numbers[name]
            absent = np.isnan(values)
            mean = float(values[~absent].mean()) if not absent.all() else 0.0
            columns.append(np.stack([np.where(absent, mean, values), absent], 1))
        else:
            columns.append(np.eye(rows.sizes[name])[rows.codes[name]])
    return np.concatenate(columns, 1), discrete


def _model(learner: str, discrete: list[bool], seed: int, *, classes: bool) -> Any:
    from sklearn import ensemble, linear_model
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    state = seed % 2**32
    if learner == "boosting":
        kind: Any = ensemble.HistGradientBoostingRegressor
        kind = ensemble.HistGradientBoostingClassifier if classes else kind
        return kind(random_state=state, categorical_features=discrete)
    if learner == "forest":
        kind = ensemble.RandomForestClassifier if classes else ensemble.RandomForestRegressor
        return kind(random_state=state)
    line: Any = linear_model.LogisticRegression(max_iter=1000) if classes else linear_model.Ridge()
    return make_pipeline(StandardScaler(), line)
