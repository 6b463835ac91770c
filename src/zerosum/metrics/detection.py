"""How well scores of examples tell anomalies from normal examples, with intervals.

Higher scores mean more anomalous. Average precision is scikit-learn's. Intervals are bootstraps
that draw normals and anomalies anew apart, so that neither kind can vanish.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.score import Score

QUANTILE = 0.95
"""Share of held-out normal examples that the usual threshold lets pass."""
ROUNDS = 200
"""Resamples behind an interval."""
TPR = 0.95
"""Share of anomalies that must be found for `fpr95`."""

Measure = Callable[[NDArray[np.float64], NDArray[np.bool_]], float]


@dataclass(frozen=True)
class Detected:
    """Scores of examples whose truth is known.

    Attributes:
        scores: (N,), higher is more anomalous.
        truth: (N,), whether an example is an anomaly.
        normal: Scores (M,) of held-out normal examples, none of which is among the N.
        quantile: Share of `normal` that the threshold lets pass.
        seed: Of the resampling.
    """

    scores: NDArray[np.float64]
    truth: NDArray[np.bool_]
    normal: NDArray[np.float64]
    quantile: float = QUANTILE
    seed: int = 0

    @classmethod
    def of(cls, scores: Tensor, truth: Tensor, normal: Tensor, **rest: float) -> Detected:
        """From tensors (N,), (N,) and (M,)."""
        arrays = (scores.double().numpy(), truth.bool().numpy(), normal.double().numpy())
        return cls(*arrays, **rest)  # pyright: ignore[reportArgumentType]

    @property
    def threshold(self) -> float:
        """Scores above it are called anomalies; from held-out normals alone."""
        return threshold_of(self.normal, self.quantile)

    def taken(self, measure: Measure) -> Score:
        """A measure with its 95 % interval.

        Raises:
            UserError: Only one kind of example is there.
        """
        if self.truth.all() or not self.truth.any():
            raise UserError(
                f"{len(self.truth):,} examples are all {'ab' * bool(self.truth.all())}normal: "
                "telling both kinds apart needs both"
            )
        value = measure(self.scores, self.truth)
        rng = np.random.default_rng(self.seed)
        kinds = [np.flatnonzero(self.truth == one) for one in (False, True)]
        found = []
        for _ in range(ROUNDS):
            rows = np.concatenate([rng.choice(kind, len(kind)) for kind in kinds])
            found.append(measure(self.scores[rows], self.truth[rows]))
        low, high = np.quantile(found, [0.025, 0.975])
        return Score(value=value, interval=(float(low), float(high)))


def threshold_of(normal: NDArray[np.float64], quantile: float = QUANTILE) -> float:
    """The score that a share of normal examples does not pass.

    The smallest of the M scores that at least `quantile` M of them do not pass: at a quantile of 1
    the largest one.

    Args:
        normal: Scores (M,) of normal examples that nothing was learned from.
        quantile: In (0, 1].

    Raises:
        UserError: No score, or a quantile that is no share.
    """
    if not 0 < quantile <= 1:
        raise UserError(f"a threshold of quantile {quantile:g} is no share: give 0.95")
    if not len(normal):
        raise UserError("a threshold needs held-out normal examples: set data.holdout=0.1")
    return float(np.quantile(normal, quantile, method="inverted_cdf"))


def auroc(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Chance that an anomaly scores above a normal example, ties counting half."""
    from scipy.stats import rankdata  # slow to load, for who only trains

    places = rankdata(scores)[truth]  # the statistic of Mann and Whitney, quicker than the curve
    hits, misses = len(places), len(scores) - len(places)
    return float((places.sum() - hits * (hits + 1) / 2) / (hits * misses))


def average_precision(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Area under precision over recall, by steps. Of chance: the share of anomalies."""
    from sklearn.metrics import average_precision_score  # likewise

    return float(average_precision_score(truth, scores))


def false_alarms(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Share of normal examples called anomalies where 95 % of the anomalies are found."""
    wanted = np.sort(scores[truth])[::-1]
    threshold = wanted[int(np.ceil(TPR * len(wanted))) - 1]
    return float((scores[~truth] >= threshold).mean())


def f1_above(threshold: float) -> Measure:
    """2 TP / (2 TP + FP + FN) of the verdicts at a threshold; 0 where no anomaly is found."""

    def measure(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
        called = scores > threshold
        hits = int((called & truth).sum())
        return 2 * hits / max(int(called.sum()) + int(truth.sum()), 1)

    return measure


def detection(found: Detected) -> dict[str, Score]:
    """All four by name: `auroc`, `ap`, `f1` at the threshold, and `fpr95`."""
    return {
        "auroc": found.taken(auroc),
        "ap": found.taken(average_precision),
        "f1": found.taken(f1_above(found.threshold)),
        "fpr95": found.taken(false_alarms),
    }
