"""Fitting a QSAR model, and what it is worth on molecules that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zerosum.chem.fingerprints import morgan, morgan_counts, own_distances, scaffold
from zerosum.chem.forest import Floats, Forest
from zerosum.chem.qsar import LEVEL, Facts, QSARModel, logit
from zerosum.errors import UserError

OnProgress = Callable[[str, int, int], None]
"""Called with what is done, how many steps are, and of how many."""
Rows = NDArray[np.int64]

TREES, FEATURES = 300, 1 / 3
"""Trees of a forest, and the share of features that each of their nodes looks at."""
TRAINED, DOMAIN, RESAMPLES = 0.8, 0.95, 1000
"""Share of training molecules of a split; quantile of their own distances that is the domain's
limit; bootstrap resamples of the test molecules."""
FEWEST, FEWEST_OF_A_CLASS = 20, 5


@dataclass(frozen=True)
class Row:
    """One figure of a model on the test part of a split.

    Attributes:
        split: `random` or `scaffold`.
        model: `forest`, `linear`, or `difference`, the first less the second.
        metric: `R2`, `RMSE`, `AUC` or `Brier`.
        value: On the test molecules.
        low: Lower end of the 95 % interval (bootstrap over test molecules).
        high: Its upper end.
    """

    split: str
    model: str
    metric: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Part:
    """What else is known of a split.

    Attributes:
        split: `random` or `scaffold`.
        train: Molecules of the training part.
        test: Molecules of the test part.
        inside: Share of the test molecules within the domain.
        covered: Share of the test molecules within their 90 % interval; NaN for classes.
        inside_value: R2 or AUC of the forest on those within the domain; NaN where too few are.
    """

    split: str
    train: int
    test: int
    inside: float
    covered: float
    inside_value: float


@dataclass(frozen=True)
class Fitted:
    """A model of all data, and figures of models of 80 % of them on the other 20 %.

    Attributes:
        model: To be used.
        rows: Figures, forest and linear model, random and scaffold split.
        parts: Sizes, coverage and domain of each split.
        notes: What could not be done, one line each.
    """

    model: QSARModel
    rows: tuple[Row, ...]
    parts: tuple[Part, ...]
    notes: tuple[str, ...]


def fit(
    smiles: Sequence[str],
    values: Floats,
    target: str,
    *,
    positive: str = "",
    seed: int = 0,
    trees: int = TREES,
    on_progress: OnProgress | None = None,
) -> Fitted:
    """Fit and judge a forest beside a linear model.

    Args:
        smiles: Canonical, each once.
        values: (N,) numbers; 0 and 1 where `positive` is given.
        target: What they are called.
        positive: The class whose probability is predicted; "" predicts a number.
        seed: Of the forests, the random split and the bootstrap.
        trees: Of each forest.
        on_progress: Called as it goes.

    Raises:
        UserError: There are too few molecules, or all have the same value.
    """
    _refuse_poor(values, target, positive)
    counts = morgan_counts(smiles)
    splits = {"random": random_split(len(smiles), seed), "scaffold": scaffold_split(smiles)}
    notes = [
        f"no scaffold split: one scaffold alone holds more than {TRAINED:.0%} of the molecules"
        for _, test in splits.values()
        if not len(test)
    ]
    rows: list[Row] = []
    parts: list[Part] = []
    usable = {name: split for name, split in splits.items() if len(split[1])}
    total = len(usable) + 1
    for number, (name, (train, test)) in enumerate(usable.items()):
        if on_progress is not None:
            on_progress(f"{name} split", number, total)
        both = {len(set(values[some].tolist())) for some in (train, test)}
        if positive and both != {2}:
            notes.append(f"no {name} split: one of its parts holds one class alone")
            continue
        own = [smiles[int(row)] for row in train]
        model = _fit_forest(own, counts[train], values[train], target, positive, seed, trees)
        linear = _fit_linear(counts[train], values[train], bool(positive))
        others = [smiles[int(row)] for row in test]
        said, truth = model.predict(others), values[test]
        rng = np.random.default_rng((seed, number))
        guesses = {"forest": said.value, "linear": linear(counts[test])}
        rows += _figures(name, truth, guesses, bool(positive), rng)
        within = (truth >= said.low) & (truth <= said.high)
        judge = METRICS["AUC" if positive else "R2"]
        few = said.inside.sum() < FEWEST_OF_A_CLASS or len(set(truth[said.inside].tolist())) < 2
        parts.append(
            Part(
                name,
                len(train),
                len(test),
                float(said.inside.mean()),
                float("nan") if positive else float(within.mean()),
                float("nan") if few else judge(truth[said.inside], said.value[said.inside]),
            )
        )
    if on_progress is not None:
        on_progress("all molecules", total - 1, total)
    model = _fit_forest(smiles, counts, values, target, positive, seed, trees)
    return Fitted(model, tuple(rows), tuple(parts), tuple(notes))


def random_split(count: int, seed: int) -> tuple[Rows, Rows]:
    """Rows of the training part (80 %) and of the test part."""
    order = np.random.default_rng(seed).permutation(count)
    cut = int(TRAINED * count)
    return np.sort(order[:cut]), np.sort(order[cut:])


def scaffold_split(smiles: Sequence[str]) -> tuple[Rows, Rows]:
    """Rows of the training part and of the test part, which share no scaffold.

    Molecules are grouped by their Bemis-Murcko scaffold (those without rings are one group). The
    groups go to training from the largest to the smallest (of equal ones, by SMILES) as long as
    they fit into 80 %; those that do not fit are the test part, rare scaffolds above all. The
    largest one is for training whatever its size.
    """
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(smiles):
        groups.setdefault(scaffold(text), []).append(row)
    train: list[int] = []
    test: list[int] = []
    most = int(TRAINED * len(smiles))
    for _, rows in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])):
        fits = not train or len(train) + len(rows) <= most
        (train if fits else test).extend(rows)
    return np.array(sorted(train), dtype=np.int64), np.array(sorted(test), dtype=np.int64)


def _r2(truth: Floats, guess: Floats) -> float:
    around = float(((truth - truth.mean()) ** 2).sum())
    return 1.0 - float(((truth - guess) ** 2).sum()) / around if around > 0 else float("nan")


def _rmse(truth: Floats, guess: Floats) -> float:
    return float(np.sqrt(((truth - guess) ** 2).mean()))


def _auc(truth: Floats, guess: Floats) -> float:
    """Mann and Whitney's share of pairs in the right order, which is the area under the curve."""
    from scipy.stats import rankdata

    yes = truth == 1
    many = int(yes.sum())
    if not 0 < many < len(truth):
        return float("nan")
    over = rankdata(guess)[yes].sum() - many * (many + 1) / 2
    return float(over / (many * (len(truth) - many)))


def _brier(truth: Floats, guess: Floats) -> float:
    return float(((truth - guess) ** 2).mean())


METRICS: dict[str, Callable[[Floats, Floats], float]] = {
    "R2": _r2,
    "RMSE": _rmse,
    "AUC": _auc,
    "Brier": _brier,
}
"""From the truth (N,) and the prediction (N,) to a figure; NaN where it has no meaning."""


def _figures(
    split: str,
    truth: Floats,
    guesses: Mapping[str, Floats],
    classes: bool,
    rng: np.random.Generator,
) -> list[Row]:
    """Figures of each model, and of the first less the second on the same resamples."""
    found: list[Row] = []
    drawn = rng.integers(0, len(truth), (RESAMPLES, len(truth)))
    everyone = np.arange(len(truth))
    for metric in ("AUC", "Brier") if classes else ("R2", "RMSE"):
        judge = METRICS[metric]
        # The value itself stands before its resamples.
        told = {
            model: np.array([judge(truth[rows], guess[rows]) for rows in (everyone, *drawn)])
            for model, guess in guesses.items()
        }
        first, second = guesses
        told["difference"] = told[first] - told[second]
        for model, (value, *spread) in told.items():
            sound = [one for one in spread if one == one]  # a resample may hold one class alone
            low, high = np.quantile(sound, (0.025, 0.975)) if sound else (np.nan, np.nan)
            found.append(Row(split, model, metric, float(value), float(low), float(high)))
    return found


def _fit_forest(
    smiles: Sequence[str],
    counts: NDArray[np.float32],
    values: Floats,
    target: str,
    positive: str,
    seed: int,
    trees: int,
) -> QSARModel:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind: Any = RandomForestClassifier if positive else RandomForestRegressor
    fitted = kind(trees, max_features=FEATURES, random_state=seed, n_jobs=1).fit(counts, values)
    forest = Forest.of(fitted)
    known = morgan(smiles)
    mean, spread = _out_of_bag(forest.trees(counts), fitted.estimators_samples_)
    asked = ~np.isnan(mean)
    if positive:
        low, high = 0.0, 1.0
        calibration = _logistic(logit(mean[asked], trees), values[asked])
    else:
        low, high = np.quantile(values, (0.05, 0.95)).tolist()
        calibration = _conformal(np.abs(values - mean)[asked], spread[asked])
    limit = float(np.quantile(own_distances(known), DOMAIN))
    facts = Facts(
        target, bool(positive), positive, len(smiles), limit, low, high, calibration, seed
    )
    return QSARModel(facts, forest, known)


def _out_of_bag(said: Floats, samples: Sequence[NDArray[Any]]) -> tuple[Floats, Floats]:
    """Mean and spread (N,) over the trees that did not see a molecule; NaN where all did."""
    unseen = np.ones_like(said, dtype=bool)
    for tree, rows in enumerate(samples):
        unseen[rows, tree] = False
    known = np.where(unseen, said, 0.0)
    count = unseen.sum(1)
    mean = np.divide(known.sum(1), count, out=np.full(len(said), np.nan), where=count > 0)
    off = np.where(unseen, (said - mean[:, None]) ** 2, 0.0)
    return mean, np.sqrt(off.sum(1) / np.maximum(count, 1))


def _conformal(off: Floats, spread: Floats) -> tuple[float, float]:
    """(quantile, floor) such that 90 % are off by at most quantile x (spread + floor)."""
    floor = float(np.median(spread)) or float(np.mean(off)) or 1.0
    ratio = np.sort(off / (spread + floor))
    place = min(len(ratio), int(np.ceil((len(ratio) + 1) * LEVEL)))
    return float(ratio[place - 1]), floor


def _logistic(odds: Floats, truth: Floats) -> tuple[float, float]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e3).fit(odds[:, None], truth)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def _fit_linear(
    counts: NDArray[np.float32], values: Floats, classes: bool
) -> Callable[[NDArray[np.float32]], Floats]:
    """Ridge, its penalty chosen by leave-one-out; or logistic regression, by its own default."""
    from sklearn.linear_model import LogisticRegression, RidgeCV

    if classes:
        fitted = LogisticRegression(max_iter=1000).fit(counts, values)
        return lambda asked: fitted.predict_proba(asked)[:, 1]
    ridge = RidgeCV(np.logspace(-1, 3, 9)).fit(counts, values)
    return lambda asked: np.asarray(ridge.predict(asked), dtype=np.float64)


def _refuse_poor(values: Floats, target: str, positive: str) -> None:
    if len(values) < FEWEST:
        raise UserError(
            f"{len(values):,} molecules with a value of '{target}': a model needs {FEWEST} or more"
        )
    if len(set(values.tolist())) < 2:
        raise UserError(f"'{target}' is the same for all molecules: there is nothing to predict")
    fewest = int(min(values.sum(), len(values) - values.sum())) if positive else FEWEST
    if fewest < FEWEST_OF_A_CLASS:
        raise UserError(
            f"'{target}' has a class of {fewest:,} molecules: each needs {FEWEST_OF_A_CLASS}"
        )
