"""Signals against values that are known beforehand."""

from __future__ import annotations

import math

import pytest
import torch

from zerosum.doctor import signals as of
from zerosum.modalities.images.judge import pixel_rows

RNG = torch.Generator().manual_seed(0)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=RNG)


@pytest.mark.parametrize(
    ("high", "low", "expected"),
    [
        ([2.0, 3.0], [0.0, 1.0], 1.0),
        ([0.0, 1.0], [2.0, 3.0], 0.0),
        ([1.0, 1.0], [1.0, 1.0, 1.0], 0.5),
        ([0.0, 2.0], [1.0, 1.0], 0.5),
        ([1.0, 2.0], [1.0, 0.0], 3.5 / 4),
    ],
)
def test_the_auc_counts_pairs_and_halves_ties(high, low, expected):
    assert of.auc(torch.tensor(high), torch.tensor(low)) == pytest.approx(expected)


def test_the_auc_is_that_of_all_pairs_and_blind_to_shift_and_scale():
    real, fake = normal(57), normal(31) - 0.5
    pairs = (real[:, None] > fake).double().mean().item()
    assert of.auc(real, fake) == pytest.approx(pairs)
    assert of.auc(100 * real + 7, 100 * fake + 7) == pytest.approx(pairs)


def test_overfit_ratio_is_0_for_equal_logits_and_1_where_held_out_look_fake():
    train, fake = torch.full((8,), 2.0), torch.full((8,), -1.0)
    assert of.overfit_ratio(train, train, fake) == 0
    assert of.overfit_ratio(train, fake, fake) == pytest.approx(1)
    assert of.overfit_ratio(fake, train, train) == 0  # the critic is behind: nothing to say


@pytest.mark.parametrize("kinds", [1, 4, 16])
def test_variety_counts_well_separated_kinds(kinds):
    rows = (torch.eye(16) * 100)[torch.arange(64) % kinds]
    assert of.variety(rows, width=1.0) == pytest.approx(kinds)


def test_coverage_of_the_same_law_is_high_and_of_one_mode_low():
    real, fake = normal(300, 4), normal(300, 4)
    assert of.covered(real, fake) > 0.85
    assert of.covered(real, 0.01 * fake) < 0.3
    assert of.covered(real, fake + 100) == 0


def test_neighbours_tell_other_laws_apart_and_copies_not():
    real = normal(200, 8)
    assert 0.4 < of.nn_accuracy(real, normal(200, 8)) < 0.6
    assert of.nn_accuracy(real, normal(200, 8) + 10) == 1
    assert of.nn_accuracy(real, real + 1e-4 * normal(200, 8)) == 0


def test_copying_is_small_for_copies_and_near_1_for_new_samples():
    train, held_out = normal(300, 8), normal(100, 8)
    assert of.copying(train[:50] + 1e-3, train, held_out) < 0.01
    assert of.copying(normal(200, 8), train, held_out) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(("sizes", "expected"), [([1, 1, 1, 1], 4.0), ([3, 0, 0, 0], 1.0)])
def test_directions_are_counted_by_the_participation_ratio(sizes, expected):
    tangents = torch.diag(torch.tensor(sizes, dtype=torch.float32)).repeat(2, 1, 1)
    assert of.directions(tangents) == pytest.approx(expected)


def test_an_ignored_condition_has_no_effect():
    told, other_code = normal(32, 4), normal(32, 4)
    assert of.effect(told, told, other_code) == 0
    assert of.effect(told, other_code, other_code) == pytest.approx(1)


def test_agreement_is_the_nearest_neighbours_accuracy():
    base = torch.tensor([[0.0], [1.0], [2.0]])
    labels = torch.tensor([0, 1, 2])
    rows = torch.tensor([[0.1], [0.9], [1.2], [5.0]])
    assert of.agreement(rows, torch.tensor([0, 1, 2, 2]), base, labels) == 0.75


def test_the_kernel_gap_is_unbiased_and_grows_with_distance():
    gaps = [of.kernel_gap(normal(40, 3), normal(40, 3), 2.0) for _ in range(200)]
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps) / len(gaps))
    assert abs(mean) < 4 * spread
    assert of.kernel_gap(normal(40, 3), normal(40, 3) + 2, 2.0) > 0.3


def test_large_images_are_brought_down_and_small_ones_left():
    assert pixel_rows(torch.zeros(2, 3, 64, 128)).shape == (2, 3 * 16 * 32)
    small = normal(2, 1, 8, 8)
    assert torch.equal(pixel_rows(small), small.flatten(1))
