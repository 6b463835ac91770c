"""What a classifier gains from more examples of a class, on real ones that were kept aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zerosum.metrics.score import Score
from zerosum.modalities.tables.utility import area

NOTHING, WEIGHTS = "nothing", "class weights"
FEWEST = 10
"""Examples of the class, and of the others, that a test must hold."""
MEASURES = ("auc", "ap", "f1")
"""Area under the ROC curve, average precision, and F1 at a chance of one half."""

_DRAWS = 200  # of a bootstrap


@dataclass(frozen=True)
class Augmented:
    """What a classifier gained.

    Attributes:
        target: What holds the classes, such as a column.
        value: The class that was augmented.
        learned: Training examples, and how many of them are of the class.
        tested: Examples of the test, and how many of them are of the class.
        added: Examples of the class that were added.
        held_out: How the test was kept aside.
        learner: The classifier.
        noun: What examples are called.
        scores: By way and measure, the value and the gain over doing nothing.
    """

    target: str
    value: str
    learned: tuple[int, int]
    tested: tuple[int, int]
    added: int
    held_out: str
    learner: str
    noun: str
    scores: dict[str, dict[str, tuple[Score, Score]]]


def measures(truth: NDArray[np.bool_], said: NDArray[np.float64]) -> dict[str, float]:
    """The measures of a classifier.

    Args:
        truth: Which rows (N,) are of the class; some are, and some are not.
        said: Probabilities (N,) of it.
    """
    from sklearn.metrics import average_precision_score

    called = said > 0.5
    return {
        "auc": area(said[truth], said[~truth])[0],
        "ap": float(average_precision_score(truth, said)),
        "f1": 2 * float((truth & called).sum()) / float(truth.sum() + called.sum()),
    }


def compared(
    truth: NDArray[np.bool_], said: Mapping[str, Sequence[NDArray[np.float64]]], seed: int = 0
) -> dict[str, dict[str, tuple[Score, Score]]]:
    """The measures of several ways to learn, and what each gains over the first.

    Values are means over seeds. Intervals are of 95 %, from a bootstrap over the rows of each
    class and over seeds at once; gains are taken on the same rows and seeds, so that what makes a
    test easy or hard makes no gain.

    Args:
        truth: Which rows (N,) of the test are of the class.
        said: By the name of a way, probabilities (N,) under each seed; the first is what all are
            compared with.
        seed: Of the bootstrap.

    Returns:
        By way and measure, the value and the gain.
    """
    rng = np.random.default_rng(seed)
    some, others = np.flatnonzero(truth), np.flatnonzero(~truth)
    seeds = len(next(iter(said.values())))
    values = {
        way: [[*measures(truth, one).values()] for one in runs] for way, runs in said.items()
    }
    drawn: dict[str, list[list[float]]] = {way: [] for way in said}
    for _ in range(_DRAWS):
        rows = np.concatenate([rng.choice(some, len(some)), rng.choice(others, len(others))])
        picked = rng.integers(seeds, size=seeds)
        for way, runs in said.items():
            found = [[*measures(truth[rows], runs[p][rows]).values()] for p in set(picked)]
            weights = [int((picked == p).sum()) for p in set(picked)]
            drawn[way].append(np.average(found, axis=0, weights=weights).tolist())
    first = next(iter(said))
    n = len(truth)
    result: dict[str, dict[str, tuple[Score, Score]]] = {}
    for way in said:
        mean, base = np.mean(values[way], axis=0), np.mean(values[first], axis=0)
        spread, usual = np.array(drawn[way]), np.array(drawn[first])
        result[way] = {
            name: (
                _score(mean[i], spread[:, i], n),
                _score(mean[i] - base[i], spread[:, i] - usual[:, i], n),
            )
            for i, name in enumerate(MEASURES)
        }
    return result


def _score(value: float, drawn: NDArray[np.float64], n: int) -> Score:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Score(value=float(value), interval=(float(low), float(high)), n_real=n)
