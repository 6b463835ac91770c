"""Series whose laws are known, made on the spot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Steps = NDArray[np.float64]

SINES, AUTOREGRESSION = "sines", "autoregression"
NAMES = (SINES, AUTOREGRESSION)
CHANNELS = 5
"""Of the sines."""
PHI = 0.8
"""Of the autoregression: its autocorrelation at lag k is PHI to the power of k."""
COUNT = 2_000
"""Sines, and stretches of the autoregression."""


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
