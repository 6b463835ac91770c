"""Divergences against identities, bounds and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import entropy, wasserstein_distance

from zerosum.errors import UserError
from zerosum.theory import (
    js_divergence,
    kl_divergence,
    optimal_discriminator,
    total_variation,
    value_function,
    wasserstein_1d,
    wasserstein_1d_samples,
)

LOG_2, LOG_4 = math.log(2), math.log(4)


@st.composite
def distributions(draw, count=2):
    """Distributions on the same few atoms; zeros are common."""
    size = draw(st.integers(2, 6))
    found = []
    for _ in range(count):
        raw = draw(arrays.arrays(float, size, elements=st.floats(0, 1).map(lambda v: v**3)))
        assume(raw.sum() > 1e-3)
        found.append(torch.from_numpy(raw / raw.sum()))
    return found


@settings(deadline=None)
@given(distributions())
@example([torch.tensor([1.0, 0.0]).double(), torch.tensor([1e-114, 1.0]).double()])  # D* rounds
def test_value_of_the_best_discriminator(pair):
    """V(D*, G) = 2 JSD - ln 4 (Goodfellow et al. 2014, theorem 1)."""
    p, q = pair
    value = value_function(p, q, optimal_discriminator(p, q))
    assert value.item() == pytest.approx(2 * js_divergence(p, q).item() - LOG_4, abs=1e-12)
    assert -LOG_4 - 1e-12 <= value.item() <= 1e-12


@settings(deadline=None)
@given(distributions(), st.integers(0, 10_000), st.floats(0, 1))
def test_no_other_discriminator_is_better(pair, seed, mix):
    p, q = pair
    best = optimal_discriminator(p, q)
    rng = torch.Generator().manual_seed(seed)
    other = torch.rand(len(p), dtype=torch.float64, generator=rng)
    there = value_function(p, q, mix * best + (1 - mix) * other)
    assert there <= value_function(p, q, best) + 1e-12


def test_a_perturbed_discriminator_is_strictly_worse():
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.3, 0.6])
    best = optimal_discriminator(p, q)
    for i in range(3):
        for move in (-0.01, 0.01):
            other = best.clone()
            other[i] += move
            assert value_function(p, q, other) < value_function(p, q, best) - 1e-5


@settings(deadline=None)
@given(distributions())
def test_bounds_and_symmetries(pair):
    p, q = pair
    js, tv, kl = js_divergence(p, q), total_variation(p, q), kl_divergence(p, q)
    assert -1e-12 <= js <= LOG_2 + 1e-12
    assert -1e-12 <= tv <= 1 + 1e-12
    assert js_divergence(q, p).item() == pytest.approx(js.item(), abs=1e-12)
    assert total_variation(q, p).item() == tv.item()
    assert kl >= 2 * tv.square() - 1e-9  # Pinsker
    assert tv.square() / 2 - 1e-9 <= js <= tv * LOG_2 + 1e-9  # Pinsker again, and Lin


@settings(deadline=None)
@given(distributions())
def test_against_scipy(pair):
    p, q = pair
    assert kl_divergence(p, q).item() == pytest.approx(entropy(p, q), rel=1e-9, abs=1e-12)
    positions = torch.arange(len(p)).double() ** 1.5
    expected = wasserstein_distance(positions, positions, p, q)
    assert wasserstein_1d(p, q, positions).item() == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(distributions(count=1))
def test_equal_distributions_reach_the_minimum_exactly(single):
    (p,) = single
    assert js_divergence(p, p).item() == pytest.approx(0, abs=1e-300)  # not quite for subnormals
    assert kl_divergence(p, p).item() == 0
    assert total_variation(p, p).item() == 0
    assert bool((optimal_discriminator(p, p) == 0.5).all())
    assert value_function(p, p, optimal_discriminator(p, p)).item() == pytest.approx(-LOG_4)


def test_zeros():
    p, q = torch.tensor([0.5, 0.5, 0.0, 0.0]), torch.tensor([0.0, 0.5, 0.5, 0.0])
    assert kl_divergence(p, q).item() == math.inf
    assert js_divergence(p, q).item() == pytest.approx(LOG_2 / 2)
    assert optimal_discriminator(p, q).tolist() == [1, 0.5, 0, 0.5]
    assert value_function(p, q, optimal_discriminator(p, q)).item() == pytest.approx(-LOG_2)
    assert value_function(p, q, torch.tensor([0.0, 0.5, 0.5, 0.5])).item() == -math.inf


def test_disjoint_supports_saturate_all_but_wasserstein():
    positions = torch.arange(11).double()
    p = torch.zeros(11)
    p[0] = 1
    for distance in (1, 4, 10):
        q = torch.zeros(11)
        q[distance] = 1
        assert js_divergence(p, q).item() == pytest.approx(LOG_2)
        assert total_variation(p, q).item() == 1
        assert value_function(p, q, optimal_discriminator(p, q)).item() == 0
        assert wasserstein_1d(p, q, positions).item() == distance


def test_a_batch_of_distributions():
    p = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    q = torch.tensor([0.5, 0.5])
    torch.testing.assert_close(kl_divergence(p, q), torch.tensor([LOG_2, 0.0]).double())
    assert js_divergence(p, q).shape == total_variation(p, q).shape == (2,)
    assert wasserstein_1d(p, q, torch.tensor([0.0, 3.0])).tolist() == [1.5, 0]


def test_divergences_are_differentiable():
    logits = torch.tensor([0.3, -1.0, 0.5], dtype=torch.float64, requires_grad=True)
    q = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda v: kl_divergence(v.softmax(0), q), logits)
    assert torch.autograd.gradcheck(lambda v: js_divergence(v.softmax(0), q), logits)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 5), (7, 4), (200, 333)])
def test_wasserstein_of_samples(n, m):
    rng = np.random.default_rng(n * m)
    first, second = rng.normal(size=n), rng.normal(1, 2, size=m).round(1)  # with ties
    found = wasserstein_1d_samples(torch.from_numpy(first), torch.from_numpy(second))
    assert found.item() == pytest.approx(wasserstein_distance(first, second), abs=1e-12)


def test_a_shift_costs_its_length():
    samples = torch.randn(100, dtype=torch.float64)
    assert wasserstein_1d_samples(samples, samples + 2.5).item() == pytest.approx(2.5)
    assert wasserstein_1d_samples(samples, samples.repeat(3)).item() == pytest.approx(0, abs=1e-12)


GOOD = torch.tensor([0.5, 0.5])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kl_divergence(GOOD, torch.tensor([0.5, 0.4])), "mass of q is off 1 by 0.1"),
        (lambda: js_divergence(torch.tensor([1.5, -0.5]), GOOD), "p has negative"),
        (lambda: js_divergence(torch.tensor([math.nan, 1.0]), GOOD), "p has negative or non-fin"),
        (lambda: total_variation(GOOD, torch.ones(3) / 3), "differ in length"),
        (lambda: wasserstein_1d(GOOD, GOOD, torch.tensor([1.0, 1.0])), "strictly increasing"),
        (lambda: wasserstein_1d_samples(torch.zeros(0), GOOD), "finite numbers"),
        (lambda: value_function(GOOD, GOOD, torch.tensor([2.0, 0.0])), "pass no logits"),
        (lambda: optimal_discriminator(GOOD, -GOOD), "p_g has negative"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(UserError, match=message):
        call()
