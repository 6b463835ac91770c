"""Do the 95 % intervals hold what they claim to? Two hundred repetitions of each."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zerosum import metrics

TIMES = 200
CASES = {
    "frechet shift": lambda x, y, g: metrics.frechet_distance(real=x, fake=y + 0.5),
    "frechet scale": lambda x, y, g: metrics.frechet_distance(real=x, fake=1.5 * y),
    "kernel shift": lambda x, y, g: metrics.kernel_distance(real=x, fake=y + 0.5),
    "precision": lambda x, y, g: metrics.precision_recall(real=x, fake=y + 0.5).precision,
    "recall": lambda x, y, g: metrics.precision_recall(real=x, fake=y + 0.5).recall,
    "density": lambda x, y, g: metrics.density_coverage(real=x, fake=y + 0.5).density,
    "coverage": lambda x, y, g: metrics.density_coverage(real=x, fake=y + 0.5, k=3).coverage,
    "mind": lambda x, y, g: metrics.mind(real=x, fake=y + 0.5, directions=100, rng=g),
    "sliced": lambda x, y, g: metrics.sliced_wasserstein(
        real=x, fake=y + 0.5, directions=100, rng=g
    ),
    "vendi": lambda x, y, g: metrics.vendi(fake=y + 0.5),
    "inception score": lambda x, y, g: metrics.inception_score(logits=2 * y, splits=4),
    "one split": lambda x, y, g: metrics.inception_score(logits=2 * y, splits=1),
    "extrapolated": lambda x, y, g: metrics.fd_infinity(real=x, fake=1.5 * y, rng=g),
    "spectrum": lambda x, y, g: ring(y),
}
EXACT = {"kernel shift"}
"""Unbiased estimators, whose interval must hold the true value."""


def ring(y):
    """One ring of a spectrum, as a score."""
    found = metrics.radial_spectrum(y.view(-1, 1, 8, 1).expand(-1, 1, 8, 8))
    return metrics.Score(
        value=float(found.power[2]), interval=(float(found.low[2]), float(found.high[2]))
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_intervals_hold_the_expectation(name):
    """In 64 Gaussian samples of 8 features, 90 to 99.5 % of the intervals."""
    source = torch.Generator().manual_seed(11)
    scores = []
    for _ in range(TIMES):
        x, y = torch.randn(2, 64, 8, generator=source).double()
        scores.append(CASES[name](x, y, source))
    low, high = np.array([score.interval for score in scores]).T
    truth = np.mean([score.value for score in scores])
    if name in EXACT:
        truth = true_kernel_distance()
    held = np.mean((low <= truth) & (truth <= high))
    assert 0.90 <= held <= 0.995, f"{name}: {held:.3f} of the intervals hold {truth:.4f}"


def true_kernel_distance():
    """Squared MMD of N(0, I) and N(1/2, I) in 8 dimensions with the cubic kernel.

    With s = x·y / d, E (1 + s)³ = 1 + 3 E s + 3 E s² + E s³. For independent x, y with means
    μ, ν and unit covariance: E s = μ·ν/d; E s² = (d + ‖μ‖² + ‖ν‖² + (μ·ν)²)/d²;
    E s³ = (3 μ·ν (‖μ‖² + ‖ν‖² + d + 2) + (μ·ν)³)/d³.
    """
    d, square = 8, 8 * 0.25

    def mean(a, b, dot):
        third = 3 * dot * (a + b + d + 2) + dot**3
        return 1 + 3 * dot / d + 3 * (d + a + b + dot**2) / d**2 + third / d**3

    return mean(0, 0, 0) + mean(square, square, square) - 2 * mean(0, square, 0)
