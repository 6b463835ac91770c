"""Density ratios, and divergences estimated from a classifier's logits.

The classifier is the exact one of N(0, 1) against N(delta, 1): logit = delta^2/2 - delta x.
"""

from __future__ import annotations

import math

import pytest
import torch

from zerosum.errors import UserError
from zerosum.theory import (
    check_ratio,
    density_ratio,
    gaussian_js,
    js_from_logits,
    kl_donsker_varadhan,
    kl_from_logits,
    optimal_discriminator,
)

DELTA = 1.0
COUNT = 200_000


def samples(shift, seed):
    rng = torch.Generator().manual_seed(seed)
    return shift + torch.randn(COUNT, dtype=torch.float64, generator=rng)


def logit(x, delta=DELTA):
    return delta**2 / 2 - delta * x


REAL, FAKE = logit(samples(0.0, 1)), logit(samples(DELTA, 2))


def within(estimate, truth, deviation):
    """Four standard errors."""
    return abs(estimate - truth) < 4 * deviation / math.sqrt(COUNT)


def test_weights_average_to_one_and_their_squares_to_exp_delta_squared():
    w = density_ratio(FAKE)
    assert within(w.mean().item(), 1, math.sqrt(math.e - 1))
    assert within(w.square().mean().item(), math.e, math.sqrt(math.e**6 - math.e**2))
    # Reweighted fakes have the real mean, 0.
    x = samples(DELTA, 2)
    spread = (w * x).std().item()
    assert within((w * x).mean().item(), 0, spread)


@pytest.mark.parametrize("delta", [1.0, 2.0])
def test_second_moment_by_quadrature(delta):
    x = torch.linspace(-40, 40, 200_001, dtype=torch.float64)
    q = (-(x - delta).square() / 2).exp() / math.sqrt(2 * math.pi) * (x[1] - x[0])
    w = density_ratio(logit(x, delta))
    assert (q * w).sum().item() == pytest.approx(1)
    assert (q * w.square()).sum().item() == pytest.approx(math.exp(delta**2))


def test_unbalanced_batches_are_corrected():
    p, q = torch.tensor([0.7, 0.3]), torch.tensor([0.2, 0.8])
    balanced = density_ratio(torch.logit(optimal_discriminator(p, q)))
    torch.testing.assert_close(balanced, (p / q).double())
    # Three reals for every fake: the best classifier says 3 p/(3 p + q).
    unbalanced = torch.logit(optimal_discriminator(3 * p, q))
    corrected = density_ratio(unbalanced, n_real=300, n_fake=100)
    torch.testing.assert_close(corrected, (p / q).double())
    with pytest.raises(UserError, match="must be positive"):
        density_ratio(unbalanced, n_real=0)


def test_check_accepts_exact_weights():
    check = check_ratio(density_ratio(FAKE))
    assert check.usable and check.reason == ""
    assert check.share == pytest.approx(math.exp(-(DELTA**2)), rel=0.05)
    assert check.effective_samples == pytest.approx(check.share * COUNT)
    assert check_ratio(torch.ones(10)).share == pytest.approx(1)
    assert check_ratio(torch.tensor([2.0, 0.0])).effective_samples == pytest.approx(1)


def test_check_refuses_what_cannot_be_trusted():
    biased = check_ratio(density_ratio(FAKE + 0.3))
    assert not biased.usable and "not calibrated" in biased.reason
    few = torch.zeros(1000)
    few[0] = 1000
    assert check_ratio(few).mean_weight == pytest.approx(1)
    assert not check_ratio(few).usable and "worth only 1" in check_ratio(few).reason
    assert not check_ratio(torch.tensor([math.nan, 1.0])).usable
    assert not check_ratio(torch.zeros(3)).usable
    assert check_ratio(torch.full((5,), 1e200, dtype=torch.float64)).share == pytest.approx(1)
    with pytest.raises(UserError, match="at least one weight"):
        check_ratio(torch.tensor([-1.0]))


def test_js_from_the_exact_logits():
    truth = gaussian_js(0, 1, DELTA, 1).item()
    assert within(js_from_logits(REAL, FAKE).item(), truth, 0.5)
    # Any other classifier can only estimate less.
    for scale, shift in ((0.5, 0.0), (2.0, 0.0), (1.0, 0.7)):
        assert js_from_logits(scale * REAL + shift, scale * FAKE + shift) < truth - 0.005
    sure = torch.full((5,), 800.0)
    assert js_from_logits(sure, -sure).item() == pytest.approx(math.log(2))
    assert js_from_logits(0 * sure, 0 * sure).item() == pytest.approx(0)


def test_kl_from_the_exact_logits():
    assert within(kl_from_logits(REAL).item(), DELTA**2 / 2, DELTA)
    found = kl_donsker_varadhan(REAL, FAKE).item()
    assert within(found, DELTA**2 / 2, DELTA + math.sqrt(math.e - 1))
    assert kl_donsker_varadhan(REAL + 7, FAKE + 7).item() == pytest.approx(found)
    assert kl_donsker_varadhan(0.5 * REAL, 0.5 * FAKE) < DELTA**2 / 2 - 0.05


def test_small_samples_bias_donsker_varadhan_upwards():
    groups = [kl_donsker_varadhan(r, f).item() for r, f in zip(REAL.split(10), FAKE.split(10))]
    bias = sum(groups) / len(groups) - DELTA**2 / 2
    assert bias > 0.03
