"""Gaussian closed forms, and the optimal discriminator of two Gaussians on a grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.linalg import sqrtm
from scipy.stats import multivariate_normal, norm

from zerosum.errors import UserError
from zerosum.theory import (
    gaussian_js,
    gaussian_kl,
    gaussian_tv,
    gaussian_wasserstein2,
    js_divergence,
    kl_divergence,
    optimal_discriminator,
    total_variation,
    value_function,
    wasserstein_1d,
)

GRID = torch.linspace(-12, 16, 28_001, dtype=torch.float64)
CELLS = torch.full_like(GRID, float(GRID[1] - GRID[0]))
JSD = {0.5: 0.030311, 1.0: 0.111421, 2.0: 0.336831, 4.0: 0.632720}


def density(mean, variance=1.0):
    return (-(GRID - mean).square() / (2 * variance)).exp() / math.sqrt(2 * math.pi * variance)


@pytest.mark.parametrize("delta", JSD)
def test_unit_gaussians_at_a_distance(delta):
    p, q = density(0.0), density(delta)
    assert gaussian_js(0, 1, delta, 1).item() == pytest.approx(JSD[delta], abs=5e-7)
    assert gaussian_kl(0.0, 1.0, delta, 1.0).item() == pytest.approx(delta**2 / 2)
    variation = 2 * norm.cdf(delta / 2) - 1
    assert gaussian_tv(0, 1, delta, 1).item() == pytest.approx(variation, abs=1e-14)
    assert gaussian_wasserstein2(0.0, 1.0, delta, 1.0).item() == pytest.approx(delta)

    grid_js = js_divergence(p, q, weights=CELLS).item()
    assert grid_js == pytest.approx(gaussian_js(0, 1, delta, 1).item(), abs=1e-10)
    grid_kl = kl_divergence(p, q, weights=CELLS).item()
    assert grid_kl == pytest.approx(delta**2 / 2, abs=1e-9)
    assert total_variation(p, q, weights=CELLS).item() == pytest.approx(variation, abs=1e-6)
    assert wasserstein_1d(p * CELLS, q * CELLS, GRID).item() == pytest.approx(delta, abs=1e-9)


@pytest.mark.parametrize("delta", [0.0, 0.5, 2.0, 4.0])
def test_the_best_discriminator_of_two_gaussians(delta):
    p, q = density(0.0), density(delta)
    best = optimal_discriminator(p, q)
    middle = (GRID > -3) & (GRID < 5)  # further out 1 - D* loses its digits
    expected = delta**2 / 2 - delta * GRID
    torch.testing.assert_close(torch.logit(best)[middle], expected[middle], atol=1e-6, rtol=1e-6)
    value = value_function(p, q, best, weights=CELLS).item()
    js = gaussian_js(0, 1, delta, 1).item()
    assert value == pytest.approx(2 * js - math.log(4), abs=1e-9)
    if delta == 2:
        assert value == pytest.approx(-0.712633, abs=5e-7)
    right = (p * (best > 0.5) + q * (best <= 0.5)).mul(CELLS).sum().item() / 2
    assert right == pytest.approx(norm.cdf(delta / 2), abs=1e-3 + 5e-7)


@pytest.mark.parametrize(
    ("mean", "variance"), [(0.0, 4.0), (1.0, 4.0), (-2.0, 0.09), (3.0, 1.0), (0.3, 1.0001)]
)
def test_gaussians_of_unequal_spread(mean, variance):
    p, q = norm(0, 1), norm(mean, math.sqrt(variance))

    def half(x):
        return abs(p.pdf(x) - q.pdf(x)) / 2

    def js(x):
        middle = (p.pdf(x) + q.pdf(x)) / 2
        return sum(r.pdf(x) * (r.logpdf(x) - math.log(middle)) for r in (p, q)) / 2

    def integral(function):
        cuts = [-12, -4, mean - 1, mean, mean + 1, 4, 14]
        return sum(
            quad(function, *pair, limit=200)[0] for pair in zip(sorted(cuts), sorted(cuts)[1:])
        )

    assert gaussian_tv(0, 1, mean, variance).item() == pytest.approx(integral(half), abs=1e-7)
    assert gaussian_js(0, 1, mean, variance).item() == pytest.approx(integral(js), abs=1e-8)
    # Both are symmetric, and change nothing when the axis is moved and stretched.
    for distance in (gaussian_tv, gaussian_js):
        there = distance(0, 1, mean, variance).item()
        assert distance(mean, variance, 0, 1).item() == pytest.approx(there, abs=1e-10)
        assert distance(5, 9, 5 + 3 * mean, 9 * variance).item() == pytest.approx(there, abs=1e-10)
    expected = math.sqrt(mean**2 + (1 - math.sqrt(variance)) ** 2)
    assert gaussian_wasserstein2(0.0, 1.0, mean, variance).item() == pytest.approx(expected)


def test_equal_gaussians_are_at_distance_zero():
    covariance = torch.tensor([[2.0, 0.7], [0.7, 1.0]])
    assert gaussian_tv(3, 2, 3, 2).item() == 0
    assert gaussian_js(3, 2, 3, 2).item() == pytest.approx(0, abs=1e-14)
    assert gaussian_kl(torch.ones(2), covariance, torch.ones(2), covariance).item() == (
        pytest.approx(0, abs=1e-12)
    )
    same = gaussian_wasserstein2(torch.ones(2), covariance, torch.ones(2), covariance)
    assert same.item() == pytest.approx(0, abs=1e-6)  # the root of a rounding error


def test_far_gaussians_saturate():
    assert gaussian_js(0, 1, 100, 1).item() == pytest.approx(math.log(2))
    assert gaussian_tv(0, 1, 100, 1).item() == 1


def random_gaussian(seed, d=4):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(d, d))
    return torch.from_numpy(rng.normal(size=d)), torch.from_numpy(
        factor @ factor.T + 0.1 * np.eye(d)
    )


def test_full_covariances():
    (mean_p, a), (mean_q, b) = random_gaussian(1), random_gaussian(2)
    cross = sqrtm(a.numpy() @ b.numpy()).real
    frechet = (mean_p - mean_q).square().sum() + (a + b).trace() - 2 * np.trace(cross)
    found = gaussian_wasserstein2(mean_p, a, mean_q, b)
    assert found.square().item() == pytest.approx(frechet.item())

    # KL = E_p[ln p - ln q]; for the quadratic ln p - ln q the expectation is exact on the
    # 2d points mu +- sqrt(d) L e_i, which have p's mean and covariance.
    p = multivariate_normal(mean_p.numpy(), a.numpy())
    q = multivariate_normal(mean_q.numpy(), b.numpy())
    root = np.linalg.cholesky(a.numpy()) * math.sqrt(4)
    points = np.concatenate([mean_p.numpy() + root.T, mean_p.numpy() - root.T])
    expected = (p.logpdf(points) - q.logpdf(points)).mean()
    assert gaussian_kl(mean_p, a, mean_q, b).item() == pytest.approx(expected)


def test_frechet_distance_of_diagonal_covariances():
    a, b = torch.arange(1.0, 9.0), torch.arange(2.0, 10.0)
    found = gaussian_wasserstein2(torch.zeros(8), a.diag(), torch.zeros(8), b.diag())
    assert found.square().item() == pytest.approx(0.54699340692, abs=1e-10)


def test_singular_covariances():
    """A point and a Gaussian: W2 is the root of the variance; KL does not exist."""
    flat = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    found = gaussian_wasserstein2(torch.zeros(2), flat, torch.zeros(2), torch.zeros(2, 2))
    assert found.item() == pytest.approx(1)
    with pytest.raises(UserError, match="covariance_q is not positive definite"):
        gaussian_kl(torch.zeros(2), torch.eye(2), torch.zeros(2), flat)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian_js(0, 1, 0, 0), "variances must be positive"),
        (lambda: gaussian_tv(0, -1, 0, 1), "variances must be positive"),
        (lambda: gaussian_kl(torch.zeros(2), torch.eye(2), 0.0, 1.0), "differ in dimension"),
        (
            lambda: gaussian_wasserstein2(
                torch.zeros(2),
                torch.tensor([[1.0, 0.5], [0.0, 1.0]]),
                torch.zeros(2),
                torch.eye(2),
            ),
            "covariance_p is not symmetric",
        ),
        (
            lambda: gaussian_wasserstein2(
                torch.zeros(2), -torch.eye(2), torch.zeros(2), torch.eye(2)
            ),
            "negative eigenvalue",
        ),
        (lambda: gaussian_kl(torch.zeros(2), torch.ones(2), 0.0, 1.0), "finite matrix"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(UserError, match=message):
        call()
