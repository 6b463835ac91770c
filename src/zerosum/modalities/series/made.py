"""Series whose laws are known, made on the spot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Steps = NDArray[np.float64]

SINES, AUTOREGRESSION, VISITS = "sines", "autoregression", "visits"
NAMES = (SINES, AUTOREGRESSION, VISITS)
CHANNELS = 5
"""Of the sines."""
PHI = 0.8
"""Of the autoregression: its autocorrelation at lag k is PHI to the power of k."""
COUNT = 2_000
"""Sines, stretches of the autoregression, and visits."""
KINDS = {"short": (8, 4.0), "middle": (16, 8.0), "long": (32, 16.0)}
"""Kinds of visits, equally frequent: their most steps, of which half are the fewest, and the
period of their wave."""


def sines(count: int, length: int, seed: int) -> Steps:
    """Sines (count, length, 5), each channel of a frequency below 0.1 a step and any phase.

    As the synthetic set of Yoon, Jarrett and van der Schaar 2019 (TimeGAN), section 5.
    """
    rng = np.random.default_rng(seed)
    frequency = rng.uniform(0, 0.1, (count, 1, CHANNELS))
    phase = rng.uniform(0, 0.1, (count, 1, CHANNELS))
    steps = np.arange(length)[None, :, None]
    return np.sin(2 * np.pi * (frequency * steps + phase))


def autoregression(length: int, seed: int) -> Steps:
    """x[t] = 0.8 x[t - 1] + e[t], (length, 1), from its stationary law with variance 1."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(length) * np.sqrt(1 - PHI**2)
    found = np.empty(length)
    found[0] = rng.standard_normal()
    for step in range(1, length):
        found[step] = PHI * found[step - 1] + noise[step]
    return found[:, None]


def visits(count: int, seed: int) -> tuple[list[Steps], dict[str, list[str] | list[float]]]:
    """Series (n, 1) of different lengths and sizes, with two attributes that decide about them.

    `kind` decides about the length n, uniform between half of the most steps and these, and about
    the period p; `level`, uniform between 0 and 3 with two decimals, about the size:
    x[t] = 10^level (2 + sin(2 pi t / p + u)), with a phase u of their own.
    """
    rng = np.random.default_rng(seed)
    kinds = rng.choice([*KINDS], count).tolist()
    levels = np.round(rng.uniform(0, 3, count), 2).tolist()
    parts = []
    for kind, level in zip(kinds, levels):
        most, period = KINDS[kind]
        steps = np.arange(rng.integers(most // 2, most + 1))
        wave = np.sin(2 * np.pi * (steps / period + rng.random()))
        parts.append(10.0**level * (2 + wave)[:, None])
    return parts, {"kind": kinds, "level": levels}
