"""Precision, recall, density and coverage against their definitions and nulls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from zerosum.errors import UserError
from zerosum.metrics import density_coverage, prdc, precision_recall
from zerosum.metrics.score import wilson

STORED = np.load(Path(__file__).parent / "sg2_metrics_formulas.npz")


def normal(n, dim, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)).double()


def naive(real, fake, k):
    """The definitions, point by point."""

    def radius(points, i):
        gaps = sorted(float((points[i] - points[j]).norm()) for j in range(len(points)) if j != i)
        return gaps[k - 1]

    real_radii = [radius(real, i) for i in range(len(real))]
    fake_radii = [radius(fake, i) for i in range(len(fake))]
    gap = [[float((x - y).norm()) for y in fake] for x in real]
    n, m = range(len(real)), range(len(fake))
    precision = np.mean([any(gap[i][j] <= real_radii[i] for i in n) for j in m])
    recall = np.mean([any(gap[i][j] <= fake_radii[j] for j in m) for i in n])
    density = np.mean([sum(gap[i][j] <= real_radii[i] for i in n) for j in m]) / k
    coverage = np.mean([min(gap[i]) <= real_radii[i] for i in n])
    return precision, recall, density, coverage


@pytest.mark.parametrize("k", [1, 3, 5])
def test_against_the_definitions(k):
    real, fake = normal(40, 3), normal(30, 3, 1) * 0.7 + 0.4
    first = precision_recall(real=real, fake=fake, k=k)
    second = density_coverage(real=real, fake=fake, k=k)
    found = (first.precision, first.recall, second.density, second.coverage)
    assert [score.value for score in found] == pytest.approx(naive(real, fake, k))
    for score in found:
        assert score.interval[0] <= score.value <= score.interval[1]
        assert (score.n_real, score.n_fake) == (40, 30)


def test_interval_takes_in_the_balls():
    """Binomial variance plus the jackknife over the balls, leaving each out, radii fixed."""
    real, fake = normal(40, 3), normal(30, 3, 1) + 0.8
    gap = torch.cdist(fake, real, compute_mode="donot_use_mm_for_euclid_dist")
    radii = torch.cdist(real, real).sort(1).values[:, 3]
    inside = gap <= radii
    share = float(inside.any(1).double().mean())
    left = [
        float(torch.cat([inside[:, :j], inside[:, j + 1 :]], 1).any(1).double().mean())
        for j in range(40)
    ]
    binomial = share * (1 - share) / 30
    trials = share * (1 - share) / (binomial + 40 * np.var(left))
    found = precision_recall(real=real, fake=fake).precision
    assert np.var(left) > 0
    assert found.interval == pytest.approx(wilson(share, trials), rel=1e-9)


@pytest.mark.parametrize(("k", "wide"), [(3, 5), (5, 2)])
def test_together_and_apart(k, wide):
    real, fake = normal(40, 3), normal(30, 3, 1) + 0.5
    first, second = prdc(real=real, fake=fake, k=k, k_density=wide)
    for name in ("precision", "recall"):
        one, other = (
            getattr(x, name) for x in (first, precision_recall(real=real, fake=fake, k=k))
        )
        assert (one.value, one.interval, one.n_fake) == (other.value, other.interval, 30)
    for name in ("density", "coverage"):
        alone = density_coverage(real=real, fake=fake, k=wide)
        one, other = (getattr(x, name) for x in (second, alone))
        assert (one.value, one.interval, one.null) == (other.value, other.interval, other.null)


def test_density_interval_is_about_that_of_leaving_reals_out():
    """The shells are a smooth stand-in for what wider balls let in: compare many reals."""
    real, fake = normal(300, 6), normal(400, 6, 1)
    counts = (torch.cdist(fake, real) <= torch.cdist(real, real).sort(1).values[:, 5]).sum(1)
    left = []
    for i in range(300):
        rest = torch.cat([real[:i], real[i + 1 :]])
        found = torch.cdist(fake, rest) <= torch.cdist(rest, rest).sort(1).values[:, 5]
        left.append(float(found.sum()) / (5 * 400))
    variance = float((counts.double() / 5).var()) / 400 + 299 * np.var(left)
    low, high = density_coverage(real=real, fake=fake).density.interval
    assert (high - low) / (2 * 1.96) == pytest.approx(variance**0.5, rel=0.15)


def test_stored_reference_values():
    """Features in half precision, as the reference holds them."""
    real, fake = (torch.as_tensor(STORED[key]).half() for key in ("in/real", "in/gen"))
    found = precision_recall(real=real, fake=fake, k=3)
    assert found.precision.value == pytest.approx(float(STORED["out/precision"]), abs=1e-7)
    assert found.recall.value == pytest.approx(float(STORED["out/recall"]), abs=1e-7)


def test_which_set_is_which():
    """Fakes on one of two clusters of reals: all precise, half recalled."""
    real = torch.cat([normal(50, 2), normal(50, 2, 1) + 100])
    found = precision_recall(real=real, fake=real[:50])
    assert found.precision.value == 1
    assert found.recall.value == 0.5


def test_a_set_with_itself_and_apart():
    features = normal(50, 4)
    same = precision_recall(real=features, fake=features)
    assert same.precision.value == same.recall.value == 1
    assert density_coverage(real=features, fake=features).coverage.value == 1
    apart = precision_recall(real=features, fake=features + 100)
    assert apart.precision.value == apart.recall.value == 0
    assert apart.precision.interval[0] == 0 < apart.precision.interval[1] < 0.1
    nothing = density_coverage(real=features, fake=features + 100)
    assert nothing.density.value == nothing.coverage.value == 0


def test_identical_constant_sets_score_as_equal():
    """Closed balls of radius 0 hold their own copies, where open ones would score 0."""
    flat = torch.full((20, 3), 0.1)
    first = precision_recall(real=flat, fake=flat)
    second = density_coverage(real=flat, fake=flat, k=5)
    assert first.precision.value == first.recall.value == second.coverage.value == 1
    assert second.density.value == 20 / 5


@pytest.mark.parametrize(("k", "expected"), [(3, 0.875), (5, 0.96875)])
def test_nulls(k, expected):
    found = density_coverage(real=normal(2000, 32), fake=normal(2000, 32, 1), k=k)
    assert found.coverage.null == pytest.approx(expected, abs=5e-4)
    assert found.coverage.value == pytest.approx(expected, abs=0.025)
    assert found.density.null == 1
    assert found.density.value == pytest.approx(1, abs=0.08)


def test_coverage_null_of_unequal_sets():
    """The formula against the mean over many small draws."""
    values = [
        density_coverage(real=normal(12, 2, i), fake=normal(5, 2, 500 + i), k=2).coverage
        for i in range(400)
    ]
    expected = 1 - (11 / 16) * (10 / 15)
    assert values[0].null == pytest.approx(expected, rel=1e-12)
    assert np.mean([score.value for score in values]) == pytest.approx(expected, abs=0.03)


def test_errors():
    with pytest.raises(UserError, match="lower k"):
        precision_recall(real=torch.zeros(3, 2), fake=torch.zeros(9, 2))
    with pytest.raises(UserError, match="same extractor"):
        density_coverage(real=torch.zeros(9, 2), fake=torch.zeros(9, 3))
