"""What series are like, as numbers: autocorrelation, dependence of channels, tails, volatility.

Steps that are NaN, behind the end of a shorter series, are left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Steps = NDArray[np.float64]


def mean(values: Steps, axis: int | tuple[int, ...]) -> Steps:
    """The mean of what is no NaN; 0 of nothing."""
    there = np.isfinite(values)
    return np.where(there, values, 0.0).sum(axis) / np.maximum(there.sum(axis), 1)


def autocorrelation(series: Steps, lags: int) -> Steps:
    """Autocorrelations (lags, C) at lags 1, 2, ... of series (N, T, C).

    Moments are pooled over all series, so that short ones are not biased by means of their own; a
    channel that never changes has 0.
    """
    centred = series - mean(series, (0, 1))
    variance = mean(centred**2, (0, 1))
    found = []
    for lag in range(1, lags + 1):
        product = mean(centred[:, lag:] * centred[:, :-lag], (0, 1))
        found.append(np.divide(product, variance, out=np.zeros_like(variance), where=variance > 0))
    return np.stack(found)


def flattened(series: Steps) -> Steps:
    """All steps (n, C) of series (N, T, C), one after another."""
    flat = series.reshape(-1, series.shape[2])
    return flat[np.isfinite(flat).all(1)]


def correlations(series: Steps) -> Steps:
    """Correlations (C, C) of the channels of series (N, T, C) at the same step; 0 with a channel
    that never changes."""
    flat = flattened(series)
    centred = flat - flat.mean(0)
    covariance = centred.T @ centred / len(flat)
    deviation = np.sqrt(np.diag(covariance))
    scale = np.outer(deviation, deviation)
    return np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)


def kurtosis(series: Steps) -> Steps:
    """Excess kurtosis (C,) of all steps of series (N, T, C): 0 of a normal law, above 0 of one
    with heavy tails; 0 for a channel that never changes."""
    flat = flattened(series)
    centred = flat - flat.mean(0)
    second, fourth = (centred**2).mean(0), (centred**4).mean(0)
    return np.divide(fourth, second**2, out=np.full_like(second, 3.0), where=second > 0) - 3


def volatility(series: Steps, lags: int) -> Steps:
    """Autocorrelations (lags, C) of absolute deviations from the mean: how calm and wild times
    cluster."""
    return autocorrelation(np.abs(series - mean(series, (0, 1))), lags)


def leverage(series: Steps, lags: int) -> Steps:
    """Correlations (lags, C) of a step with the square of the one so many steps later.

    Below 0 for shares, whose falls make what follows wild (Cont 2001, doi:10.1080/713665670).
    """
    centred = series - mean(series, (0, 1))
    squares = centred**2 - mean(centred**2, (0, 1))
    scale = np.sqrt(mean(centred**2, (0, 1)) * mean(squares**2, (0, 1)))
    found = []
    for lag in range(1, lags + 1):
        product = mean(centred[:, :-lag] * squares[:, lag:], (0, 1))
        found.append(np.divide(product, scale, out=np.zeros_like(scale), where=scale > 0))
    return np.stack(found)
