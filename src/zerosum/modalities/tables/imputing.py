"""Filled gaps: how wrong they are, and what mean and mode, neighbours and MICE would fill.

All work on encoded rows of a `GapCodec`, in which a number is its distance from the mean in
four standard deviations, and a category is one-hot.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.registry import Metric, Taken
from zerosum.metrics.score import Score, around, wilson
from zerosum.metrics.sets import Sets
from zerosum.modalities.tables.fields import RowField
from zerosum.modalities.tables.steady import SCALE

NEIGHBOURS = 5
ROUNDS = 5
"""Sweeps of MICE over the columns."""
LEARNED = 3_000
"""Most rows among which neighbours are looked for."""


def errors(made: Tensor, truth: Tensor, given: Tensor, row: RowField) -> dict[str, Score]:
    """How wrong filled rows are in the cells that were hidden and are known.

    Args:
        made: Filled rows (N, width).
        truth: What they should be.
        given: What was to be filled.
        row: What the rows are.

    Returns:
        `rmse`, the root of the mean squared error of numbers, each in standard deviations of its
        column (the mean fills with 1), and `pfc`, the proportion of falsely classified entries
        (Stekhoven and Bühlmann 2012, missForest, section 3.1). One that no cell is for is absent.

    Raises:
        UserError: No known cell was hidden.
    """
    squares, wrong = list[Tensor](), list[Tensor]()
    for index, span in enumerate(row.spans):
        if span.part == "scalar":
            continue
        hidden = (given[:, span.stop - 1] > 0.5) & (truth[:, span.stop - 1] < 0.5)
        if span.part == "modes":
            place = row.spans[index - 1].start
            squares.append((SCALE * (made[hidden, place] - truth[hidden, place])).square())
        else:
            kinds = slice(span.start, span.stop)
            wrong.append(made[hidden, kinds].argmax(1) != truth[hidden, kinds].argmax(1))
    found: dict[str, Score] = {}
    if squares and (n := len(all_ := torch.cat(squares).double())):
        mean, variance = all_.mean().item(), all_.var().item() / n if n > 1 else 0.0
        low, high = (max(end, 0.0) ** 0.5 for end in around(mean, variance))
        found["rmse"] = Score(value=mean**0.5, interval=(low, high), null=0.0, n_fake=n)
    if wrong and (n := len(all_ := torch.cat(wrong))):
        count = int(all_.sum())
        interval = wilson(count / n, n)
        found["pfc"] = Score(value=count / n, interval=interval, null=0.0, n_fake=n)
    if not found:
        raise UserError(
            "no known cell was hidden, so nothing can be compared: set data.hidden=0.2"
        )
    return found


def mean_mode(given: Tensor, learned: Tensor, row: RowField, seed: int = 0) -> Tensor:
    """Given rows (N, width), the mean of a number and the commonest category in their gaps.

    Args:
        given: What is to be filled.
        learned: Rows (M, width), with gaps or without, that are learned from.
        row: What the rows are.
        seed: Nothing is drawn.
    """
    both = _Cells(torch.cat([learned, given]), row)
    return both.rows(np.where(both.holes, _means(both), both.values))[len(learned) :]


def neighbours(given: Tensor, learned: Tensor, row: RowField, seed: int = 0) -> Tensor:
    """As `mean_mode`, by the five nearest of at most 3,000 learned rows (scikit-learn's imputer).

    Distances are over the cells that two rows share; a number counts in standard deviations,
    two categories that differ count 1.
    """
    from sklearn.impute import KNNImputer

    some = np.random.default_rng(seed).permutation(len(learned))[:LEARNED]
    both = _Cells(torch.cat([learned[torch.from_numpy(some)], given]), row)
    model = KNNImputer(n_neighbors=NEIGHBOURS, keep_empty_features=True)
    scale = np.where(both.number, 1.0, 0.5**0.5)
    values = np.where(both.holes, np.nan, both.values) * scale
    model.fit(values[: len(some)])
    return both.rows(np.asarray(model.transform(values[len(some) :])) / scale)


def mice(given: Tensor, learned: Tensor, row: RowField, seed: int = 0) -> Tensor:
    """As `mean_mode`, by chained equations (van Buuren and Groothuis-Oudshoorn 2011, MICE).

    Column by column, each is predicted from all others, by Bayesian ridge regression a number
    and by logistic regression a category, where it is known; five rounds, from mean and mode.
    What is likeliest is filled and nothing drawn. scikit-learn's IterativeImputer takes no
    categories: of their one-hot parts each is one less the sum of the others, which says nothing.
    """
    from warnings import catch_warnings, simplefilter

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import BayesianRidge, LogisticRegression

    both = _Cells(torch.cat([learned, given]), row)
    values = np.where(both.holes, _means(both), both.values)
    for _ in range(ROUNDS):
        for places in both.columns:
            hole = both.holes[:, places[0]]
            if not hole.any() or hole.all():
                continue
            others = np.delete(values, places, axis=1)
            if both.number[places[0]]:
                model = BayesianRidge().fit(others[~hole], values[~hole, places[0]])
                values[hole, places[0]] = model.predict(others[hole])
                continue
            kinds = values[~hole][:, places].argmax(1)
            if len(np.unique(kinds)) < 2:
                continue
            model = LogisticRegression(max_iter=50, tol=1e-3)
            with catch_warnings():
                simplefilter("ignore", ConvergenceWarning)  # a later round goes on
                found = model.fit(others[~hole], kinds).predict(others[hole])
            values[np.flatnonzero(hole)[:, None], places] = found[:, None] == np.arange(
                len(places)
            )
    return both.rows(values)[len(learned) :]


IMPUTERS: dict[str, Callable[[Tensor, Tensor, RowField, int], Tensor]] = {
    "mean and mode": mean_mode,
    "nearest neighbours": neighbours,
    "chained equations": mice,
}


class _Cells:
    """Rows without their places for missing cells, for methods that know arrays alone.

    Attributes:
        values: (N, places): numbers in standard deviations, one-hot categories.
        holes: (N, places): which of them are missing.
        number: (places,): which ones are numbers.
        columns: The places of each column.
    """

    def __init__(self, rows: Tensor, row: RowField) -> None:
        self._width, self._at = rows.shape[1], list[int]()
        self.columns: list[list[int]] = []
        holes, self._modes = list[Tensor](), list[int]()
        scalar = 0
        for span in row.spans:
            if span.part == "scalar":
                scalar = span.start
                continue
            number = span.part == "modes"
            places = [scalar] if number else list(range(span.start, span.stop - 1))
            self._modes += [span.start] if number else []
            first = len(self._at)
            self.columns.append(list(range(first, first + len(places))))
            self._at += places
            holes += [rows[:, span.stop - 1] > 0.5] * len(places)
        scalars = {span.start for span in row.spans if span.part == "scalar"}
        self.number = np.array([place in scalars for place in self._at])
        self.holes = torch.stack(holes, 1).numpy()
        self.values = rows[:, self._at].double().numpy() * np.where(self.number, SCALE, 1.0)

    def rows(self, values: NDArray[np.float64]) -> Tensor:
        """Rows (N, width) of values (N, places), of each category the greatest."""
        out = np.zeros((len(values), self._width))
        out[:, self._modes] = 1.0
        at = np.array(self._at)
        for places in self.columns:
            if self.number[places[0]]:
                out[:, at[places]] = values[:, places] / SCALE
            else:
                best = values[:, places].argmax(1)
                out[np.arange(len(out)), at[places][best]] = 1.0
        return torch.from_numpy(out).float()


def _means(cells: _Cells) -> NDArray[np.float64]:
    """The mean of each place (places,) where it is known; of a category its share."""
    known = np.maximum((~cells.holes).sum(0), 1)
    return np.where(cells.holes, 0.0, cells.values).sum(0) / known


def _imputation(sets: Sets) -> list[Taken]:
    truth, made = sets.answers(), sets.fake.examples
    row = truth.objects().attrs.get("row")
    if row is None or "given" not in truth.examples:
        raise UserError("imputation is for systems that fill gaps (gain): leave it out")
    # Held-out rows are repeated where more are asked for than there are: each counts once.
    both = torch.cat([truth.examples["row"], truth.examples["given"]], 1).numpy()
    once = np.unique(both, axis=0, return_index=True)[1]
    known, given = (truth.examples[name][once] for name in ("row", "given"))
    found = errors(made["row"][once], known, given, row)
    return [(name, score, {"cells": score.n_fake}) for name, score in found.items()]


IMPUTATION = Metric(
    _imputation,
    {"rmse": "lower", "pfc": "lower"},
    ceiling=False,
    takes="examples",
    needs=("row",),
    paired=True,
)
