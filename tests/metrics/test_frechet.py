"""The Fréchet distance against closed forms, stored reference values and SciPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch

from zerosum.errors import UserError
from zerosum.metrics import (
    Statistics,
    fd_infinity,
    frechet_distance,
    frechet_from_statistics,
    frechet_null_bias,
)

STORED = np.load(Path(__file__).parent / "sg2_metrics_formulas.npz")


def normal(n, dim, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)).double()


def moments(mean, cov, n=10_000):
    return Statistics(n, mean.double(), cov.double() * (n - 1))


def by_square_root(real, fake):
    """The textbook form, with a general matrix square root."""
    a, b = np.asarray(real, dtype=np.float64), np.asarray(fake, dtype=np.float64)
    ca, cb = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    root = scipy.linalg.sqrtm(ca @ cb)
    shift = a.mean(0) - b.mean(0)
    return float(shift @ shift + np.trace(ca) + np.trace(cb) - 2 * np.trace(root).real)


def test_diagonal_covariances():
    zero = torch.zeros(8)
    real = moments(zero, torch.diag(torch.arange(1.0, 9.0)))
    fake = moments(zero, torch.diag(torch.arange(2.0, 10.0)))
    assert frechet_from_statistics(real, fake).value == pytest.approx(0.54699340692, abs=1e-10)


def test_isotropic_scale_and_shift():
    a, b, dim = 1.5, 2.25, 6
    real = moments(torch.zeros(dim), a * a * torch.eye(dim))
    fake = moments(torch.full((dim,), 0.5), b * b * torch.eye(dim))
    expected = dim * (a - b) ** 2 + dim * 0.25
    assert frechet_from_statistics(real, fake).value == pytest.approx(expected, rel=1e-12)


def test_stored_reference_value():
    """The reference divides the covariance by N, not N − 1: hand it that one."""
    sets = []
    for key in ("in/real", "in/gen"):
        one = Statistics.of(STORED[key])
        sets.append(Statistics(one.n, one.mean, one.scatter * (one.n - 1) / one.n))
    assert frechet_from_statistics(*sets).value == pytest.approx(
        float(STORED["out/fid"]), rel=1e-7
    )
    np.testing.assert_allclose(sets[0].mean, STORED["out/mean_real"], rtol=1e-6)
    np.testing.assert_allclose(sets[0].cov, STORED["out/cov_real"], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("dim", [1, 5, 40])
def test_agrees_with_the_matrix_square_root(dim):
    mix = normal(dim, dim, seed=9)
    real, fake = normal(200, dim), normal(150, dim, seed=1) @ mix + 0.3
    found = frechet_distance(real=real, fake=fake)
    assert found.value == pytest.approx(by_square_root(real, fake), rel=1e-9)
    swapped = frechet_distance(real=fake, fake=real)
    assert swapped.value == pytest.approx(found.value, rel=1e-10)
    assert swapped.interval == pytest.approx(found.interval, rel=1e-8)


@pytest.mark.parametrize("n", [500, 50, 2])
def test_a_set_with_itself(n):
    """Also where samples are fewer than dimensions."""
    features = normal(n, 64)
    found = frechet_distance(real=features, fake=features)
    assert abs(found.value) < 1e-9
    assert found.interval == pytest.approx((0, 0), abs=1e-5)


def test_rank_deficient_value():
    """Nuclear norm of the cross-product of the centred samples, which needs no covariance."""
    real, fake = normal(30, 64), normal(20, 64, seed=1) * 2 + 1
    x, y = real - real.mean(0), fake - fake.mean(0)
    cross = torch.linalg.svdvals(x @ y.T).sum() / (29 * 19) ** 0.5
    shift = (real.mean(0) - fake.mean(0)).square().sum()
    expected = shift + x.square().sum() / 29 + y.square().sum() / 19 - 2 * cross
    found = frechet_distance(real=real, fake=fake)
    assert found.value == pytest.approx(float(expected), rel=1e-9)
    assert found.null is None
    assert all(np.isfinite(found.interval))


def test_constant_features():
    real, fake = torch.zeros(10, 3), torch.ones(10, 3)
    found = frechet_distance(real=real, fake=fake)
    assert found.value == pytest.approx(3.0)
    assert found.interval == pytest.approx((3.0, 3.0))
    mixed = frechet_distance(real=torch.zeros(100, 3), fake=normal(100, 3))
    assert mixed.value == pytest.approx(3.0, rel=0.3)


def test_null_bias_for_the_unit_covariance():
    bias = frechet_null_bias(torch.eye(64), n_real=500, n_fake=500)
    assert bias == pytest.approx((2 / 500) * (64 + 64 * 65 / 4), rel=1e-12)
    assert frechet_null_bias(9 * torch.eye(64), n_real=500, n_fake=500) == pytest.approx(9 * bias)


def test_null_bias_is_what_is_seen():
    spread = torch.linspace(0.2, 3, 16).double()
    n, m = 800, 400
    seen = [
        frechet_distance(
            real=normal(n, 16, seed=i) * spread, fake=normal(m, 16, seed=100 + i) * spread
        ).value
        for i in range(30)
    ]
    bias = frechet_null_bias(torch.diag(spread**2), n_real=n, n_fake=m)
    assert np.mean(seen) == pytest.approx(bias, rel=0.08)


def test_interval_is_the_jackknife():
    """The exact derivative against leaving every sample out in turn."""
    real, fake = normal(60, 3), normal(50, 3, seed=1) * 1.4 + 0.5
    low, high = frechet_distance(real=real, fake=fake).interval

    def value(x, y):
        return frechet_distance(real=x, fake=y, interval=False).value

    variance = 0.0
    for turn in (0, 1):
        whole = (real, fake)[turn]
        left = []
        for i in range(len(whole)):
            sets = [real, fake]
            sets[turn] = torch.cat([whole[:i], whole[i + 1 :]])
            left.append(value(*sets))
        variance += (len(left) - 1) * np.var(left)
    assert (high - low) / 2 == pytest.approx(1.96 * variance**0.5, rel=0.1)


def test_influence_is_the_derivative():
    """Weight one sample a little more and watch the distance move."""
    from zerosum.metrics.frechet import Coupling

    real, fake = normal(40, 4), normal(30, 4, seed=1) * 1.5 + 1

    def weighted(i, step):
        weights = torch.full((40,), (1 - step) / 40).double()
        weights[i] += step
        mean = weights @ real
        cov = (real - mean).T @ ((real - mean) * weights[:, None]) * 40 / 39
        return frechet_from_statistics(Statistics(40, mean, cov * 39), Statistics.of(fake)).value

    whole = Coupling(Statistics.of(real), Statistics.of(fake), vectors=True)
    pulls = whole.influence(real, fake)[0]
    for i in (0, 7):
        slope = (weighted(i, 1e-5) - weighted(i, -1e-5)) / 2e-5
        assert slope == pytest.approx(float(pulls[i]), rel=0.05, abs=0.05)


def test_streaming_and_merging_change_nothing():
    features = normal(100, 7) * 3 + 1000
    whole = Statistics.of(features)
    parts = Statistics.empty(7)
    for part in features.split(13):
        parts.update(part)
    merged = Statistics.of(features[:30]).merge(Statistics.of(features[30:]))
    for other in (parts, merged):
        assert other.n == 100
        torch.testing.assert_close(other.mean, whole.mean, rtol=1e-14, atol=0)
        torch.testing.assert_close(other.cov, whole.cov, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(whole.cov, np.cov(features, rowvar=False), rtol=1e-11, atol=1e-11)


def test_save_and_load(tmp_path):
    path = tmp_path / "real.npz"
    kept = Statistics.of(normal(50, 4))
    kept.save(path)
    back = Statistics.load(path)
    assert back.n == 50
    assert torch.equal(back.mean, kept.mean)
    torch.testing.assert_close(back.cov, kept.cov)
    with np.load(path) as file:
        assert set(file.files) == {"n", "mu", "sigma"}


def test_bad_files_are_named(tmp_path):
    with pytest.raises(UserError, match="no statistics at"):
        Statistics.load(tmp_path / "none.npz")
    np.savez(tmp_path / "old.npz", mu=np.zeros(2), sigma=np.eye(2))
    with pytest.raises(UserError, match="lacks n"):
        Statistics.load(tmp_path / "old.npz")


def test_statistics_refuse_what_does_not_fit():
    with pytest.raises(UserError, match="dimension 3"):
        Statistics.empty(2).update(torch.zeros(5, 3))
    with pytest.raises(UserError, match="covariance of 1"):
        _ = Statistics.of(torch.zeros(1, 3)).cov
    with pytest.raises(UserError, match="same extractor"):
        Statistics.of(torch.zeros(4, 3)).merge(Statistics.of(torch.zeros(4, 2)))
    with pytest.raises(UserError, match="square"):
        frechet_null_bias(torch.zeros(2, 3), n_real=2, n_fake=2)


def test_extrapolation_takes_the_bias_of_both_sides_away():
    values = [
        fd_infinity(real=normal(1000, 16, i), fake=normal(1000, 16, 50 + i)).value
        for i in range(8)
    ]
    plain = frechet_null_bias(torch.eye(16), n_real=1000, n_fake=1000)
    assert abs(np.mean(values)) < 0.15 * plain
    far = fd_infinity(real=normal(2000, 16), fake=normal(2000, 16, 1) * 1.5)
    assert far.value == pytest.approx(16 * 0.25, rel=0.05)
    assert far.interval[0] < 4 < far.interval[1]


def test_extrapolation_repeats_with_its_seed():
    real, fake = normal(200, 4), normal(200, 4, 1)
    first = fd_infinity(real=real, fake=fake)
    torch.manual_seed(5)
    assert fd_infinity(real=real, fake=fake) == first
    other = fd_infinity(real=real, fake=fake, rng=torch.Generator().manual_seed(3))
    assert other.value != first.value
    with pytest.raises(UserError, match="smallest"):
        fd_infinity(real=real, fake=fake, smallest=1.5)
