"""What a classifier gains from more rows of a rare class, on real rows that were kept aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from zerosum.errors import UserError, nearest
from zerosum.metrics.score import Score
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.columns import Discrete
from zerosum.modalities.tables.utility import area

MEASURES = ("auc", "ap", "f1")
"""Area under the ROC curve, average precision, and F1 at a chance of one half."""

_DRAWS = 200  # of a bootstrap


def rare_class(codec: TableCodec, target: str, value: str) -> tuple[str, str]:
    """The column of classes and the class that is to be learned better.

    Args:
        codec: The run's.
        target: Name of the column; empty takes the run's target, or the last one.
        value: The class, as text; empty takes the rarest.

    Raises:
        UserError: No such column or class, or a column of numbers.
    """
    target = target or codec.target or [*codec.described][-1]
    column = codec.described.get(target)
    if column is None:
        raise UserError(
            f"--target {target}: no learned column is called so: "
            f"{nearest(target, codec.described)}"
        )
    if not isinstance(column, Discrete) or len(column.values) < 2:
        raise UserError(
            f"--target {target}: this is no column of several classes, and what is augmented is "
            "a class: name another column"
        )
    known = {str(name): count for name, count in zip(column.values, column.counts)}
    if value and value not in known:
        raise UserError(f"--class {value}: '{target}' has no such class: {nearest(value, known)}")
    return target, value or min(known, key=lambda name: known[name])


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
