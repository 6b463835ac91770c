"""Series of methods that are no GAN: block bootstrap, vector autoregression, GARCH."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zerosum.errors import require

Steps = NDArray[np.float64]

BLOCK = 6
"""Mean length of a block of the bootstrap."""
FITTED = 2_000
"""Training series from which the models are fitted at most."""
LAGS = 4
"""Of the vector autoregression, at most."""
WARM = 100
"""Steps that GARCH goes before those that are kept."""


def block_bootstrap(real: Steps, n: int, rng: np.random.Generator) -> Steps:
    """Series (n, T, C) put together of blocks of training ones (N, T, C).

    Politis and Romano 1994, "The stationary bootstrap", doi:10.1080/01621459.1994.10476870: blocks
    of geometric length, each from a series drawn anew, at the step where it is put. Where training
    series end in NaN, a block comes of one that goes on, and each series ends where some training
    series, drawn at first, does.
    """
    count, length, _ = real.shape
    found = np.full((n, *real.shape[1:]), np.nan)
    ends = np.isfinite(real).all(2).sum(1)
    source = rng.integers(count, size=n)
    wanted = ends[source]
    for step in range(length):
        alive = np.flatnonzero(ends > step)
        anew = (rng.random(n) < 1 / BLOCK) | (ends[source] <= step)
        source = np.where(anew, alive[rng.integers(len(alive), size=n)], source)
        found[:, step] = np.where((wanted > step)[:, None], real[source, step], np.nan)
    return found


def autoregression(real: Steps, n: int, rng: np.random.Generator) -> Steps:
    """Series (n, T, C) of a vector autoregression fitted to all training ones (N, T, C) at once.

    By least squares; its order, up to 4, is the one with the least Akaike criterion. Each series
    begins with the first steps of a training series, and residuals are resampled.
    """
    count, length, channels = real.shape
    best: tuple[Any, int, Any, Any] | None = None
    for order in range(1, min(LAGS, length - 2) + 1):
        past = [real[:, order - lag - 1 : length - lag - 1] for lag in range(order)]
        rows = np.concatenate([part.reshape(-1, channels) for part in past], axis=1)
        rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
        goal = real[:, order:].reshape(-1, channels)
        weights, *_ = np.linalg.lstsq(rows, goal, rcond=None)
        residuals = goal - rows @ weights
        spread = residuals.T @ residuals / len(goal) + 1e-12 * np.eye(channels)
        _, size = np.linalg.slogdet(spread)
        criterion = len(goal) * size + 2 * weights.size
        if best is None or criterion < best[0]:
            best = criterion, order, weights, residuals
    assert best is not None
    _, order, weights, residuals = best
    found = np.empty((n, length, channels))
    found[:, :order] = real[rng.integers(count, size=n), :order]
    low, high = real.min((0, 1)), real.max((0, 1))
    for step in range(order, length):
        past = np.concatenate([found[:, step - lag - 1] for lag in range(order)], axis=1)
        past = np.concatenate([past, np.ones((n, 1))], axis=1)
        drawn = residuals[rng.integers(len(residuals), size=n)]
        # An autoregression of growing series may run away.
        found[:, step] = np.clip(past @ weights + drawn, 2 * low - high, 2 * high - low)
    return found


def garch(real: Steps, n: int, rng: np.random.Generator) -> Steps:
    """Series (n, T, C), each channel by itself a GARCH(1, 1) with Student's noise.

    Bollerslev 1987, doi:10.2307/1925546; fitted by the package `arch` to the training series put
    one after another.
    """
    model = require("arch", "series").arch_model
    _, length, channels = real.shape
    found = np.empty((n, length, channels))
    for at in range(channels):
        # Windows overlap: each step once, from the first of each window and the rest of the last.
        steps = np.concatenate([real[:-1, 0, at], real[-1, :, at]])
        scale = 1 / max(float(steps.std()), 1e-12)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = model(steps * scale, mean="Constant", vol="GARCH", p=1, q=1, dist="t")
            fit = made.fit(disp="off")
        mu, omega, alpha, beta, nu = (float(value) for value in fit.params)
        noise = rng.standard_t(nu, size=(n, WARM + length)) * np.sqrt((nu - 2) / nu)
        variance = np.full(n, omega / max(1 - alpha - beta, 1e-3))
        for step in range(WARM + length):
            move = np.sqrt(variance) * noise[:, step]
            if step >= WARM:
                found[:, step - WARM, at] = (mu + move) / scale
            variance = omega + alpha * move**2 + beta * variance
    return found


METHODS: Mapping[str, Callable[[Steps, int, np.random.Generator], Steps]] = {
    "block bootstrap": block_bootstrap,
    "vector autoregression": autoregression,
}


def baselines(real: Steps, n: int, seed: int, *, returns: bool) -> dict[str, Steps]:
    """Series (n, T, C) of each method, from training ones (N, T, C); GARCH for returns.

    Where training series end in NaN there are blocks alone: the others have no ends.
    """
    methods = {**METHODS, **({"GARCH(1, 1), Student's t": garch} if returns else {})}
    if np.isnan(real).any():
        methods = {name: how for name, how in methods.items() if how is block_bootstrap}
    return {name: how(real, n, np.random.default_rng(seed)) for name, how in methods.items()}
