"""Every metric refuses wrong input in one clear line, and Scores read well."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from zerosum import metrics
from zerosum.errors import UserError
from zerosum.metrics.score import wilson

GOOD = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
PAIRED = {
    "frechet_distance": metrics.frechet_distance,
    "kernel_distance": metrics.kernel_distance,
    "precision_recall": metrics.precision_recall,
    "density_coverage": metrics.density_coverage,
    "fd_infinity": metrics.fd_infinity,
    "sliced_wasserstein": metrics.sliced_wasserstein,
    "mind": metrics.mind,
}
HELD_OUT = {
    "authenticity": metrics.authenticity,
    "c_t": metrics.c_t,
    "feature_likelihood_divergence": metrics.feature_likelihood_divergence,
}


def with_nan():
    bad = GOOD.clone()
    bad[3, 1] = math.nan
    return bad


BAD = {
    "another dimension": (GOOD[:, :3], "same extractor"),
    "one sample": (GOOD[:1], "give at least"),
    "images": (GOOD.view(40, 1, 2, 2), "reshape it"),
    "not a number": (with_nan(), "NaN or infinity"),
    "infinity": (GOOD / 0, "NaN or infinity"),
    "no features": (GOOD[:, :0], "holds no numbers"),
    "complex": (GOOD.to(torch.complex64), "complex"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("name", PAIRED)
def test_paired_metrics_name_the_culprit(name, kind):
    bad, message = BAD[kind]
    with pytest.raises(UserError, match=message) as caught:
        PAIRED[name](real=GOOD, fake=bad)
    assert "fake" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=message):
        PAIRED[name](real=bad, fake=GOOD)


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("name", HELD_OUT)
def test_held_out_sets_are_checked(name, kind):
    bad, message = BAD[kind]
    with pytest.raises(UserError, match=message):
        HELD_OUT[name](real=GOOD, fake=GOOD, held_out=bad)


@pytest.mark.parametrize("name", PAIRED)
def test_arrays_gradients_and_precision_do_not_matter(name):
    real, fake = GOOD[:20], GOOD[20:] + 0.5
    expected = PAIRED[name](real=real.double(), fake=fake.double())
    assert PAIRED[name](real=real.numpy(), fake=fake.numpy()) == expected
    assert PAIRED[name](real=real.clone().requires_grad_(), fake=fake) == expected


@pytest.mark.parametrize("name", PAIRED)
def test_the_global_generator_is_left_alone(name):
    before = torch.get_rng_state()
    PAIRED[name](real=GOOD[:20], fake=GOOD[20:])
    assert torch.equal(torch.get_rng_state(), before)


def test_scores_read_well():
    score = metrics.Score(value=-1e-9, interval=(-0.5, 0.25), floor=0.0)
    assert str(score) == "0 [0, 0.25]"
    assert float(score) == -1e-9
    assert str(metrics.Score(value=1.5)) == "1.5"


@pytest.mark.parametrize("hits", [0, 1, 17, 40])
def test_wilson(hits):
    expected = stats.binomtest(hits, 40).proportion_ci(method="wilson")
    assert wilson(hits / 40, 40) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_every_public_name_exists():
    assert all(getattr(metrics, name) is not None for name in metrics.__all__)
    assert sorted(np.unique(metrics.__all__)) == sorted(metrics.__all__)
