"""The kernel distance against its definition and closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from zerosum.errors import UserError
from zerosum.metrics import Gaussian, Polynomial, kernel, kernel_distance

STORED = np.load(Path(__file__).parent / "sg2_metrics_formulas.npz")


def normal(n, dim, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)).double()


def naive(x, y, k):
    n, m = len(x), len(y)
    own_x = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    own_y = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return float(own_x + own_y - 2 * sum(k(a, b) for a in x for b in y) / (n * m))


def test_against_the_definition():
    x, y = normal(12, 5), normal(9, 5, 1) + 0.5
    cubic = kernel_distance(real=x, fake=y).value
    assert cubic == pytest.approx(naive(x, y, lambda a, b: (a @ b / 5 + 1) ** 3), rel=1e-10)
    bell = kernel_distance(real=x, fake=y, kernel=Gaussian(bandwidth=1.5)).value
    expected = naive(x, y, lambda a, b: torch.exp(-(a - b).square().sum() / (2 * 1.5**2)))
    assert bell == pytest.approx(expected, rel=1e-10)
    plain = Polynomial(degree=1, gamma=1.0, offset=0.0)
    linear = kernel_distance(real=x, fake=y, kernel=plain).value
    assert linear == pytest.approx(naive(x, y, torch.dot), rel=1e-10)


def test_stored_reference_values():
    real, fake = STORED["in/real"], STORED["in/gen"]
    whole = kernel_distance(real=real, fake=fake).value
    assert whole == pytest.approx(float(STORED["out/kid_one_full_subset"]), rel=1e-6)
    # Other random subsets than the reference's, so equal up to their noise only.
    some = kernel_distance(real=real, fake=fake, subsets=100, subset_size=50).value
    assert some == pytest.approx(float(STORED["out/kid_seed0_100x50"]), rel=0.06)
    one = kernel_distance(real=real, fake=fake, subsets=2, subset_size=240).value
    assert one == pytest.approx(whole, rel=1e-9)


def test_closed_form_for_a_change_of_scale():
    """3 (a − b)² / d for variances a and b, averaged over draws."""
    values = [
        kernel_distance(
            real=normal(1000, 64, i), fake=normal(1000, 64, 90 + i) * 2**0.5, interval=False
        ).value
        for i in range(10)
    ]
    assert np.mean(values) == pytest.approx(0.046875, abs=0.003)


def test_null_is_centred_and_goes_negative():
    values = [
        kernel_distance(real=normal(100, 8, i), fake=normal(100, 8, 900 + i)).value
        for i in range(100)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / 10
    assert min(values) < 0


def test_a_set_with_itself_is_negative():
    """2 (off-diagonal / (m (m − 1)) − all / m²)."""
    x = normal(60, 5)
    gram = (x @ x.T / 5 + 1) ** 3
    off = gram.sum() - gram.trace()
    expected = float(2 * (off / (60 * 59) - gram.sum() / 60**2))
    found = kernel_distance(real=x, fake=x).value
    assert found < 0
    assert found == pytest.approx(expected, rel=1e-10)


def test_interval_is_the_jackknife():
    x, y = normal(25, 4), normal(20, 4, 1) + 0.5
    low, high = kernel_distance(real=x, fake=y).interval
    variance = 0.0
    for turn, whole in enumerate((x, y)):
        left = []
        for i in range(len(whole)):
            sets = [x, y]
            sets[turn] = torch.cat([whole[:i], whole[i + 1 :]])
            left.append(kernel_distance(real=sets[0], fake=sets[1], interval=False).value)
        variance += (len(left) - 1) * np.var(left)
    assert (high - low) / 2 == pytest.approx(1.959964 * variance**0.5, rel=1e-6)


def test_block_size_changes_nothing(monkeypatch):
    x, y = normal(50, 4), normal(40, 4, 1)
    whole = kernel_distance(real=x, fake=y)
    monkeypatch.setattr(kernel, "BLOCK", 7)
    part = kernel_distance(real=x, fake=y)
    assert part.value == pytest.approx(whole.value, rel=1e-10)
    assert part.interval == pytest.approx(whole.interval, rel=1e-9)


def test_subsets_repeat_with_their_seed():
    x, y = normal(50, 4), normal(50, 4, 1)
    first = kernel_distance(real=x, fake=y, subsets=5, subset_size=20)
    torch.manual_seed(7)
    assert kernel_distance(real=x, fake=y, subsets=5, subset_size=20) == first
    rng = torch.Generator().manual_seed(1)
    other = kernel_distance(real=x, fake=y, subsets=5, subset_size=20, rng=rng)
    assert other.value != first.value
    whole = kernel_distance(real=x, fake=y)
    assert first.interval[1] - first.interval[0] > whole.interval[1] - whole.interval[0]


def test_constant_features():
    flat = torch.ones(10, 3)
    assert kernel_distance(real=flat, fake=flat).value == 0
    assert kernel_distance(real=flat, fake=0 * flat).value == pytest.approx(8 + 1 - 2)


def test_errors():
    x = normal(10, 3)
    with pytest.raises(UserError, match="lower it"):
        kernel_distance(real=x, fake=x, subsets=5)
    with pytest.raises(UserError, match="bandwidth"):
        Gaussian(bandwidth=0.0)
    with pytest.raises(UserError, match="at least 3"):
        kernel_distance(real=x, fake=x[:2])
