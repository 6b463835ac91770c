"""Metrics of series, for `zerosum evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from zerosum.data.fields import Batch
from zerosum.errors import UserError
from zerosum.metrics.registry import Metric, Taken
from zerosum.metrics.score import Score, around, wilson
from zerosum.metrics.sets import Embedded, Sets
from zerosum.modalities.series import statistics as of
from zerosum.modalities.series.judges import discriminative, predictive

LAGS = 20
"""Lags of autocorrelations at most; half a series where it is shorter."""
SEEDS = 5
"""Judges of the discriminative and the predictive score."""


def steps_of(batch: Batch) -> Tensor:
    """Series (N, T, C) of a batch in double precision, NaN behind the end of each."""
    series = batch["series"].detach().double().cpu()
    if "steps" not in batch:
        return series
    behind = torch.arange(series.shape[1]) >= batch["steps"].cpu()[:, None]
    return series.masked_fill(behind[:, :, None], float("nan"))


def _series(sets: Sets) -> tuple[Tensor, Tensor]:
    """Real and generated series as networks see them."""
    return steps_of(sets.real.examples), steps_of(sets.fake.examples)


def _own(side: Embedded) -> np.ndarray:
    """Series (N, T, C) in their own unit, in which tails are what they are."""
    parts = side.objects()
    assert isinstance(parts, list)
    found = np.full((len(parts), max(map(len, parts)), parts[0].shape[1]), np.nan)
    for row, part in enumerate(parts):
        found[row, : len(part)] = part
    return found


def _lags(length: int) -> int:
    return max(1, min(LAGS, length // 2))


def _gap(name: str, how: Callable[[np.ndarray, int], np.ndarray]) -> Callable[[Sets], list[Taken]]:
    """The mean absolute difference of a statistic of real and generated series."""

    def run(sets: Sets) -> list[Taken]:
        real, fake = _own(sets.real), _own(sets.fake)
        lags = _lags(real.shape[1])
        gap = np.abs(how(real, lags) - how(fake, lags)).mean()
        score = Score(value=float(gap), n_real=len(real), n_fake=len(fake))
        return [(name, score, {"lags": lags})]

    return run


def _dependence(sets: Sets) -> list[Taken]:
    real, fake = _own(sets.real), _own(sets.fake)
    gap = np.abs(of.correlations(real) - of.correlations(fake))
    channels = real.shape[2]
    if channels < 2:
        raise UserError("cross-correlation compares channels, and there is one: leave it out")
    value = gap[~np.eye(channels, dtype=bool)].mean()
    score = Score(value=float(value), n_real=len(real), n_fake=len(fake))
    return [("cross-correlation", score, {"channels": channels})]


def _tails(sets: Sets) -> list[Taken]:
    real, fake = _own(sets.real), _own(sets.fake)
    ours, theirs = (float(of.kurtosis(one).mean()) for one in (fake, real))
    return [
        (name, Score(value=value, n_real=len(real), n_fake=len(fake)), {"excess": True})
        for name, value in (("kurtosis", ours), ("kurtosis-real", theirs))
    ]


def _judged(
    name: str, once: Callable[[Tensor, Tensor, Tensor, int], float]
) -> Callable[[Sets], list[Taken]]:
    """The mean over judges, with the interval of that mean over their seeds."""

    def run(sets: Sets) -> list[Taken]:
        held = steps_of(sets.fresh(name).examples).float()
        real, fake = (one.float() for one in _series(sets))
        found = np.array([once(real, fake, held, sets.seed + k) for k in range(SEEDS)])
        score = Score(
            value=float(found.mean()),
            interval=around(float(found.mean()), float(found.var(ddof=1)) / SEEDS),
            n_real=len(real),
            n_fake=len(fake),
        )
        return [(name, score, {"judges": SEEDS, "held_out": len(held)})]

    return run


def _usefulness(sets: Sets) -> list[Taken]:
    """The label of held-out series from their nearest neighbour, generated or real."""
    held = sets.fresh("tstr")
    if held.labels is None or sets.fake.labels is None or sets.real.labels is None:
        raise UserError("tstr needs labelled series: choose a set with classes, or leave it out")
    taken: list[Taken] = []
    truth = held.labels.cpu().numpy()
    for name, one in (("tstr-accuracy", sets.fake), ("trtr-accuracy", sets.real)):
        assert one.labels is not None
        near = KNeighborsClassifier(1)
        near.fit(one.examples["series"].flatten(1).cpu().numpy(), one.labels.cpu().numpy())
        right = near.predict(held.examples["series"].flatten(1).cpu().numpy()) == truth
        share = float(right.mean())
        score = Score(value=share, interval=wilson(share, len(right)), n_fake=len(one.features))
        taken.append((name, score, {"classifier": "1-NN", "held_out": len(right)}))
    return taken


def _laws(name: str) -> Callable[[Sets], list[Taken]]:
    """How far the laws of the numbers of a field are apart: the mean of Kolmogorov and Smirnov's
    distances, which of a one-hot word is the difference of its shares."""

    def run(sets: Sets) -> list[Taken]:
        real, fake = (
            one.examples[name].double().cpu().reshape(len(one.features), -1).numpy()
            for one in (sets.real, sets.fake)
        )
        apart = [_distance(*columns) for columns in zip(real.T, fake.T)]
        score = Score(value=float(np.mean(apart)), n_real=len(real), n_fake=len(fake))
        return [(name, score, {"numbers": len(apart)})]

    return run


def _distance(real: np.ndarray, fake: np.ndarray) -> float:
    """The greatest gap between two distribution functions."""
    places = np.union1d(real, fake)
    ours, theirs = (
        np.searchsorted(np.sort(some), places, side="right") / len(some) for some in (real, fake)
    )
    return float(np.abs(ours - theirs).max())


def _next(real: Tensor, fake: Tensor, held: Tensor, seed: int) -> float:
    return predictive(fake, held, seed)


METRICS: Mapping[str, Metric] = {
    "acf": Metric(_gap("acf", of.autocorrelation), "lower", takes="examples"),
    "volatility": Metric(_gap("volatility", of.volatility), "lower", takes="examples"),
    "leverage": Metric(_gap("leverage", of.leverage), "lower", takes="examples"),
    "cross-correlation": Metric(_dependence, "lower", takes="examples"),
    "tails": Metric(_tails, {}, takes="examples"),
    "steps": Metric(_laws("steps"), "lower", takes="examples", needs=("steps",)),
    "attributes": Metric(_laws("attributes"), "lower", takes="examples", needs=("attributes",)),
    "discriminative": Metric(
        _judged("discriminative", discriminative),
        "lower",
        ceiling=False,
        takes="examples",
        unseen=True,
    ),
    "predictive": Metric(
        _judged("predictive", _next), "lower", ceiling=False, takes="examples", unseen=True
    ),
    "tstr": Metric(
        _usefulness,
        {"tstr-accuracy": "higher", "trtr-accuracy": "higher"},
        ceiling=False,
        takes="examples",
        needs=("label",),
        unseen=True,
    ),
}
