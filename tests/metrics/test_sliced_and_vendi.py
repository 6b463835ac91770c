"""MIND, the sliced Wasserstein distance and the Vendi score."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from zerosum.errors import UserError
from zerosum.metrics import frechet_distance, mind, sliced_wasserstein, vendi
from zerosum.metrics.sliced import _Pairing


def normal(n, dim, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)).double()


def test_mind_of_a_shift():
    """3 ‖Δμ‖², with relative noise √(2 / directions)."""
    x = normal(500, 4)
    found = mind(real=x, fake=x + 1, directions=4000)
    assert found.value == pytest.approx(12, rel=4 * (2 / 4000) ** 0.5)
    assert found.interval[0] < 12 < found.interval[1]


def test_mind_of_a_scale_is_three_frechet():
    x = normal(3000, 8)
    expected = 3 * frechet_distance(real=x, fake=1.5 * x).value
    assert mind(real=x, fake=1.5 * x).value == pytest.approx(expected, rel=0.02)


def test_one_dimension_needs_no_directions():
    x, y = normal(50, 1), normal(50, 1, 1) * 2
    cost = float((x.sort(0).values - y.sort(0).values).square().mean())
    assert mind(real=x, fake=y, directions=2).value == pytest.approx(3 * cost)
    assert sliced_wasserstein(real=x, fake=y, directions=2).value == pytest.approx(cost**0.5)


@pytest.mark.parametrize(("n", "m"), [(5, 5), (6, 4), (7, 5), (1, 3)])
def test_unequal_sets_are_paired_by_quantiles(n, m):
    """The same as repeating every sample up to the common multiple."""
    x, y = normal(n, 3).sort(0).values, normal(m, 3, 1).sort(0).values
    plan = _Pairing(n, m, torch.device("cpu"))
    many_x, many_y = x.repeat_interleave(m, 0), y.repeat_interleave(n, 0)
    expected = (many_x - many_y).square().mean(0)
    torch.testing.assert_close(plan.cost(x, y), expected)
    partners = many_y.reshape(n, m, 3).mean(1)
    torch.testing.assert_close(plan.partners(y, plan.i, n, plan.j), partners)
    by_scipy = wasserstein_distance(x[:, 0].numpy(), y[:, 0].numpy())
    assert float(plan.mass @ (x[plan.i, 0] - y[plan.j, 0]).abs()) == pytest.approx(by_scipy)


def test_a_set_with_itself_in_another_order():
    x = normal(60, 5)
    assert mind(real=x, fake=x.flip(0)).value == pytest.approx(0, abs=1e-20)


def test_sliced_interval_is_the_jackknife():
    x, y = normal(40, 3), normal(40, 3, 1) * 1.5 + 1
    found = mind(real=x, fake=y, directions=50)
    noise = 0.0
    for turn, whole in enumerate((x, y)):
        left = []
        for i in range(len(whole)):
            sets = [x, y]
            sets[turn] = torch.cat([whole[:i], whole[i + 1 :]])
            left.append(mind(real=sets[0], fake=sets[1], directions=50).value)
        noise += (len(left) - 1) * np.var(left)
    # A Gaussian shift of this size: the directions' noise, from the values of single ones.
    singles = [
        mind(real=x, fake=y, directions=50, rng=torch.Generator().manual_seed(s)).value
        for s in range(200)
    ]
    expected = 1.96 * (noise + np.var(singles)) ** 0.5
    assert (found.interval[1] - found.interval[0]) / 2 == pytest.approx(expected, rel=0.15)


def test_directions_repeat_with_their_seed():
    x, y = normal(30, 4), normal(30, 4, 1)
    first = mind(real=x, fake=y, directions=10)
    torch.manual_seed(4)
    assert mind(real=x, fake=y, directions=10) == first
    rng = torch.Generator().manual_seed(1)
    assert mind(real=x, fake=y, directions=10, rng=rng).value != first.value
    with pytest.raises(UserError, match="directions"):
        mind(real=x, fake=y, directions=1)


@pytest.mark.parametrize("dim", [5, 12, 40])
def test_vendi_extremes(dim):
    assert vendi(fake=torch.eye(dim)).value == pytest.approx(dim)
    assert vendi(fake=torch.ones(dim, 5)).value == pytest.approx(1)
    assert vendi(fake=torch.eye(dim)[:2].repeat(9, 1)).value == pytest.approx(2)


@pytest.mark.parametrize(("n", "dim"), [(30, 5), (5, 30)])
def test_vendi_against_the_kernel_matrix(n, dim):
    x = normal(n, dim) + 1
    rows = (x / x.norm(dim=1, keepdim=True)).numpy()
    lam = np.linalg.eigvalsh(rows @ rows.T / n)
    lam = lam[lam > 1e-12]
    found = vendi(fake=x)
    assert found.value == pytest.approx(np.exp(-(lam * np.log(lam)).sum()), rel=1e-10)
    # Length does not count, direction does.
    assert vendi(fake=x * torch.arange(1, n + 1)[:, None]).value == pytest.approx(found.value)


def test_vendi_refuses_rows_without_direction():
    with pytest.raises(UserError, match="row of zeros"):
        vendi(fake=torch.zeros(4, 3))
