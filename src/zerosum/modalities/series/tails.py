"""Heavy tails laid into normal numbers, and taken out again.

Goerg 2015, "The Lambert Way to Gaussianize Heavy-Tailed Data with the Inverse of Tukey's h
Transformation as a Special Case", doi:10.1155/2015/909231: z = u exp(delta u^2 / 2) has heavy
tails where u is normal and delta is above 0, and Lambert's W gives u back. Quant GANs
(arXiv:1907.06673) learn u, so that their networks need not draw the tails.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import root_scalar
from scipy.special import lambertw

Floats = NDArray[np.float64]

MOST = 0.5
"""The greatest delta that is looked for: from 1/2 on the variance has no end."""
ROUNDS, CLOSE = 50, 1e-8


def heavy(u: Floats, delta: Floats | float) -> Floats:
    """Numbers with tails of weight delta >= 0; they stay as they are where it is 0."""
    return u * np.exp(np.asarray(delta) * u**2 / 2)


def light(z: Floats, delta: Floats | float) -> Floats:
    """The way back."""
    weight = np.broadcast_to(np.asarray(delta, dtype=np.float64), z.shape)
    some = np.where(weight > 0, weight, 1.0)
    found = np.sign(z) * np.sqrt(np.real(lambertw(some * z**2)) / some)
    return np.where(weight > 0, found, z)


def fit(values: Floats) -> tuple[float, float, float]:
    """Middle, spread and delta of values (N,), such that light((values - middle) / spread, delta)
    has mean 0, deviation 1 and the kurtosis 3 of a normal law.

    By Goerg's iteration of moments (section 5.2). Delta is 0 where the kurtosis is not above 3.
    """
    middle, spread, delta = float(values.mean()), float(values.std()), 0.0
    if spread == 0:
        return middle, 1.0, 0.0
    for _ in range(ROUNDS):
        z = (values - middle) / spread
        weight = _weight(z)
        x = light(z, weight) * spread + middle
        now = float(x.mean()), float(x.std()), weight
        moved = max(abs(a - b) for a, b in zip(now, (middle, spread, delta)))
        middle, spread, delta = now
        if moved < CLOSE * max(spread, 1.0):
            break
    return middle, spread, delta


def _weight(z: Floats) -> float:
    """The delta that leaves a kurtosis of 3."""

    def excess(delta: float) -> float:
        u = light(z, delta)
        u = u - u.mean()
        return float((u**4).mean() / (u**2).mean() ** 2 - 3)

    if excess(0.0) <= 0:
        return 0.0
    if excess(MOST) > 0:
        return MOST
    return float(root_scalar(excess, bracket=(0.0, MOST), xtol=1e-10).root)
