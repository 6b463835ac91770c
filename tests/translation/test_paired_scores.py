"""Scores of answers beside true ones: known values, honest intervals, plain baselines."""

from __future__ import annotations

import math

import pytest
import torch

from zerosum.errors import UserError
from zerosum.metrics.sets import Embedded, Sets
from zerosum.modalities.images.paired_scores import (
    PAIRED_METRICS,
    baselines,
    best_dilation,
    paired_l1,
    paired_psnr,
    paired_ssim,
)


def test_known_values():
    real = torch.zeros(5, 3, 16, 16)
    fake = real + 0.2  # a tenth of the scale 0..1
    assert paired_l1(real=real, fake=fake) == pytest.approx(0.1)
    assert paired_psnr(real=real, fake=fake) == pytest.approx(20.0, abs=1e-5)
    assert paired_ssim(real=real, fake=real) == pytest.approx(1.0)
    assert paired_l1(real=real, fake=real) == 0
    # Two constant pictures differ in luminance alone: (2ab + c) / (a^2 + b^2 + c), c = 0.02^2.
    expected = (2 * 0.5 * 0.7 + 0.0004) / (0.25 + 0.49 + 0.0004)
    assert paired_ssim(real=real + 0.5, fake=real + 0.7) == pytest.approx(expected, rel=1e-4)


def test_decibels_are_averaged_over_pictures():
    real = torch.zeros(2, 1, 4, 4)
    fake = torch.stack([torch.full((1, 4, 4), 0.2), torch.full((1, 4, 4), 0.02)])
    assert paired_psnr(real=real, fake=fake) == pytest.approx((20 + 40) / 2, abs=1e-4)


def test_an_exact_answer_is_infinite_and_has_no_interval():
    real = torch.rand(3, 1, 4, 4)
    score = paired_psnr(real=real, fake=real)
    assert score == math.inf
    assert score.interval is None


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = torch.Generator().manual_seed(0)
    real, hits = torch.zeros(60, 1, 1, 1), 0
    for _ in range(200):
        fake = torch.rand(60, 1, 1, 1, generator=rng)  # |fake| / 2 has mean 1/4
        low, high = paired_l1(real=real, fake=fake).interval
        hits += low <= 0.25 <= high
    assert 0.90 <= hits / 200 <= 0.99  # 0.95, four standard errors and the bootstrap's small bias


def test_batches_that_do_not_belong_together_are_refused():
    with pytest.raises(UserError, match="differ in shape"):
        paired_l1(real=torch.zeros(2, 1, 4, 4), fake=torch.zeros(3, 1, 4, 4))
    with pytest.raises(UserError, match="no answers"):
        paired_psnr(real=torch.zeros(0, 1, 4, 4), fake=torch.zeros(0, 1, 4, 4))
    with pytest.raises(UserError, match="11 pixels"):
        paired_ssim(real=torch.zeros(2, 1, 8, 8), fake=torch.zeros(2, 1, 8, 8))


def test_the_dilation_that_made_the_answers_is_found():
    rng = torch.Generator().manual_seed(0)
    given = torch.where(torch.rand(20, 1, 16, 16, generator=rng) > 0.95, 1.0, -1.0)
    grown = torch.nn.functional.max_pool2d(given, 3, 1, 1)
    best = best_dilation({"input": given, "image": grown})
    assert best.name == "square 3x3"
    assert best.error == 0
    found = baselines({"input": given, "image": grown}, given)
    assert torch.equal(found["the input copied"], given)
    assert torch.equal(found["dilation (square 3x3)"], grown)


def test_a_grey_input_is_copied_as_colour():
    train = {"input": torch.zeros(2, 1, 4, 4), "image": torch.zeros(2, 3, 4, 4)}
    found = baselines(train, torch.rand(5, 1, 4, 4))
    assert list(found) == ["the input copied"]
    assert found["the input copied"].shape == (5, 3, 4, 4)


def test_the_metrics_compare_answers_with_the_truth_and_not_with_training_pictures():
    truth, answers = torch.zeros(5, 1, 16, 16), torch.full((5, 1, 16, 16), 0.2)
    none = torch.zeros(5, 0)
    fake = Embedded(none, examples={"image": answers})
    other = Embedded(none, examples={"image": torch.ones(9, 1, 16, 16)})
    sets = Sets(other, fake, None, 0, truth=Embedded(none, examples={"image": truth}))
    [(name, score, _)] = PAIRED_METRICS["psnr"].take("psnr", sets)
    assert name == "psnr"
    assert score == pytest.approx(20.0, abs=1e-5)
    assert [PAIRED_METRICS[key].better for key in ("l1", "psnr", "ssim")] == [
        "lower",
        "higher",
        "higher",
    ]
    with pytest.raises(UserError, match="games that map"):
        PAIRED_METRICS["psnr"].take("psnr", Sets(other, fake, None, 0))
