"""Means at equal numbers of heavy atoms, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from zerosum.pipelines.design.strata import difference


def _side(*pairs):
    sizes, values = zip(*pairs)
    return np.array(sizes), np.array(values, dtype=float)


def test_differences_are_weighted_by_the_smaller_count():
    before = _side((5, -4.0), (5, -5.0), (6, -5.0), (6, -6.0), (6, -7.0), (8, -1.0))
    after = _side((5, -5.0), (6, -6.5), (6, -7.5), (7, -9.0))
    # Five atoms: -5 + 4.5 = -0.5, weight 1; six: -7 + 6 = -1, weight 2; seven and eight: none.
    found = difference(before, after)
    assert found.value == pytest.approx((-0.5 - 2 * 1.0) / 3)
    assert (found.n_real, found.n_fake) == (6, 4)


def test_larger_molecules_alone_are_no_gain():
    law = np.arange(40) % 4
    small = (np.full(40, 5) + law, -1.0 * (5 + law))
    large = (np.full(40, 7) + law, -1.0 * (7 + law))
    found = difference(small, large)
    assert large[1].mean() - small[1].mean() == -2
    assert found.value == 0 and found.interval == (0, 0)  # seven and eight atoms are in both


def test_the_interval_is_that_of_the_two_means():
    rng = np.random.default_rng(3)
    one, two = rng.normal(0, 1, 400), rng.normal(0.5, 2, 100)
    found = difference((np.full(400, 9), one), (np.full(100, 9), two), seed=1)
    half = 1.96 * np.sqrt(one.var() / 400 + two.var() / 100)
    assert found.value == pytest.approx(two.mean() - one.mean())
    assert found.interval == pytest.approx((found.value - half, found.value + half), abs=0.04)


def test_sides_without_a_size_in_common_cannot_be_compared():
    assert difference(_side((5, 1.0)), _side((6, 1.0))) is None
