"""ADA: equal to the official code's numbers, neutral where it must be, and how p is controlled."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from zerosum.augment import geometry
from zerosum.augment.adaptive import (
    CHANGES,
    SELECTIONS,
    AdaptiveAugment,
    adjusted,
    overfitted_by_heldout,
    overfitted_by_sign,
)
from zerosum.augment.colour import coloured, drawn_bands, drawn_colours, filtered
from zerosum.augment.draws import Draws
from zerosum.errors import UserError
from zerosum.losses import r1

OFFICIAL = Path(__file__).parents[1] / "data" / "official"
CASES = np.load(OFFICIAL / "sg2_ada_augment.npz")
META = json.loads(str(CASES["meta"]))
IMAGES = torch.from_numpy(CASES["in/img"])


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def equal(found, name, rtol=1e-4):
    wanted = torch.from_numpy(CASES[name])
    torch.testing.assert_close(found, wanted, rtol=rtol, atol=1e-5 * wanted.abs().max().item())


# -- the official numbers -------------------------------------------------------------------


@pytest.mark.parametrize("name", META["specs"])
def test_every_selection_is_equal_to_the_official_code(name):
    augment = AdaptiveAugment(META["specs"][name], strength=1.0)
    for percentile in META["percentiles"]:
        equal(augment(IMAGES, percentile=percentile), f"out/{name}@{percentile}")


def test_grey_images_and_the_gradient_are_equal_to_the_official_code():
    augment = AdaptiveAugment("bgc", strength=1.0)
    equal(augment(torch.from_numpy(CASES["in/img_gray"]), percentile=0.35), "out/bgc_gray@0.35")
    images = IMAGES.clone().requires_grad_()
    total = augment(images, percentile=0.8).square().sum()
    equal(torch.autograd.grad(total, images)[0], "out/bgc@0.8_grad_of_sumsq")


def test_without_strength_nothing_changes():
    assert AdaptiveAugment("bgcfnc")(IMAGES) is IMAGES
    equal(IMAGES, "out/bgc_p0_identity", rtol=1e-5)


def test_the_step_of_p_is_the_official_one():
    wanted = np.load(OFFICIAL / "sg2_schedules.npz")["out/ada_step"].item()
    assert adjusted(0.0, 0.7, 0.6, 64 * 4, 500_000) == pytest.approx(wanted, rel=1e-12)
    assert adjusted(wanted, 0.5, 0.6, 64 * 4, 500_000) == 0
    assert adjusted(wanted, 0.6, 0.6, 64 * 4, 500_000) == wanted
    assert adjusted(0.1 * wanted, 0.1, 0.6, 64 * 4, 500_000) == 0  # never below
    assert adjusted(1.0, 0.9, 0.6, 64 * 4, 500_000) == 1  # nor above


# -- by mathematics -------------------------------------------------------------------------


def test_the_wavelet_is_orthogonal():
    taps = np.array(geometry.SYM6)
    assert np.sum(taps) == pytest.approx(math.sqrt(2), abs=1e-9)
    for shift in range(0, len(taps), 2):
        inner = np.dot(taps[shift:], taps[: len(taps) - shift])
        assert inner == pytest.approx(float(shift == 0), abs=1e-9)


def images(count=4, channels=3, height=16, width=24):
    drawn = torch.rand(count, channels, height, width, generator=rng(9), dtype=torch.float64)
    return drawn * 2 - 1


@pytest.mark.parametrize("by_matrix", [0, 256])
def test_shifts_by_whole_pixels_leave_no_trace_of_the_filter(by_matrix, monkeypatch):
    """Nothing is changed, or moved exactly, and what comes in is the mirrored image."""
    monkeypatch.setattr(geometry, "BY_MATRIX", by_matrix)
    x = images(1)
    moved = torch.eye(3, dtype=torch.float64)[None]
    torch.testing.assert_close(geometry.warped(x, moved), x, rtol=0, atol=1e-9)
    moved[:, 0, 2], moved[:, 1, 2] = -3, 2  # three pixels to the right, two up
    wanted = torch.nn.functional.pad(x, (3, 0, 0, 2), mode="reflect")[..., 2:, :24]
    torch.testing.assert_close(geometry.warped(x, moved), wanted, rtol=0, atol=1e-9)


def test_flips_and_quarter_turns_go_the_right_way():
    """On waves that go on smoothly in the mirror, which the nearly symmetric filter keeps."""
    rows, columns = torch.arange(16).double() / 15 * math.pi, torch.arange(16).double() / 15
    x = (rows.cos()[:, None] + 0.5 * (math.pi * columns).cos())[None, None]
    same = torch.eye(3, dtype=torch.float64)[None]
    mirror, half = same.clone(), same.clone()
    mirror[:, 0, 0], half[:, 0, 0], half[:, 1, 1] = -1, -1, -1
    turn = geometry.turning(torch.tensor([math.pi / 2]).double())
    for through, wanted in (
        (mirror, x.flip(3)),
        (half, x.flip(2, 3)),
        (turn, x.rot90(1, (2, 3))),
    ):
        torch.testing.assert_close(geometry.warped(x, through), wanted, rtol=0, atol=0.04)
        assert (x - wanted).abs().max() > 0.5


def test_both_ways_of_filtering_agree(monkeypatch):
    x = images()
    draws = Draws(x, 1.0, rng())
    through = geometry.drawn_inverse(draws, dict.fromkeys(CHANGES, 1.0))
    by_matrix = geometry.warped(x, through)
    monkeypatch.setattr(geometry, "BY_MATRIX", 0)
    torch.testing.assert_close(geometry.warped(x, through), by_matrix, rtol=0, atol=1e-9)


def test_derivatives_of_derivatives_are_right():
    x = images(2, 1, 5, 6).requires_grad_()
    through = geometry.drawn_inverse(Draws(x.detach(), 1.0, rng(3)), dict.fromkeys(CHANGES, 1.0))
    assert torch.autograd.gradgradcheck(lambda x: geometry.warped(x, through) ** 2, x)


def test_r1_passes_through_all_changes():
    """Of a linear critic behind the changes: the slope is the changes' transpose of its weight,
    and its derivative by the weight is finite and not 0."""
    x, augment = images(), AdaptiveAugment("bgcfnc", 1.0)
    weight = torch.rand(x[0].numel(), generator=rng(1), dtype=torch.float64).requires_grad_()

    def critic(x):
        return augment(x, percentile=0.7).flatten(1) @ weight

    penalty = r1(critic, x)
    (slope,) = torch.autograd.grad(penalty, weight)
    # The penalty is quadratic in the weight (Euler): slope . weight = 2 penalty.
    assert (slope @ weight).item() == pytest.approx(2 * penalty.item(), rel=1e-9)
    assert penalty.item() > 1


def test_the_bands_add_up_and_keep_the_power():
    x = images(3, height=24)
    torch.testing.assert_close(filtered(x, torch.ones(3, 4).double()), x, rtol=0, atol=1e-9)
    # One band after the other is doubled, and the whole scaled back to the expected power.
    doubled = 0.5 + 0.5 * math.erf(1.0)
    gains = drawn_bands(Draws(x, 1.0, percentile=doubled), 1.0)
    wanted = 2 / math.sqrt(1 + 3 * 10 / 13) / math.sqrt(1 + 3 / 13) ** 3
    torch.testing.assert_close(gains, torch.full((3, 4), wanted).double())


def test_a_small_image_is_filtered_too():
    x = images(2, 1, 4, 5)
    torch.testing.assert_close(filtered(x, torch.ones(2, 4).double()), x, rtol=0, atol=1e-9)


def test_colours_keep_what_they_name():
    x = images(64)
    luma = torch.full((3,), 1 / math.sqrt(3)).double()
    turned = drawn_colours(Draws(x, 1.0, rng()), {"hue": 1.0})[:, :3, :3]
    torch.testing.assert_close(turned @ turned.mT, torch.eye(3).double().expand(64, 3, 3))
    torch.testing.assert_close(turned @ luma, luma.expand(64, 3))
    faded = drawn_colours(Draws(x, 1.0, rng()), {"saturation": 1.0})[:, :3, :3]
    torch.testing.assert_close(faded @ luma, luma.expand(64, 3))
    assert not torch.allclose(faded, torch.eye(3).double())


def test_opacity_and_grey_with_opacity_keep_their_last_channel():
    for channels in (2, 4):
        x = images(8, channels)
        changed = AdaptiveAugment("color", 1.0)(x, rng())
        assert torch.equal(changed[:, -1], x[:, -1])
        assert not torch.allclose(changed[:, :-1], x[:, :-1])


def test_the_share_of_untouched_images_is_the_product_of_the_chances():
    p, count = 0.3, 2048
    x = images(1, height=8, width=8).expand(count, -1, -1, -1)
    changed = AdaptiveAugment("bgc", p)(x, rng(5))
    untouched = ((changed - x).abs().amax((1, 2, 3)) < 1e-5).double().mean().item()
    # A shift by less than half a pixel of 8 is none: both of two uniform numbers in [-1, 1].
    still = 1 - p + p * 0.5**2
    wanted = (1 - p / 2) * (1 - 3 * p / 4) * still * (1 - p) ** 4  # blit, geometry
    wanted *= (1 - p) ** 4 * (1 - p / 2)  # brightness, contrast, hue, saturation; luma flip
    deviation = math.sqrt(wanted * (1 - wanted) / count)
    assert abs(untouched - wanted) < 3 * deviation


def test_numbers_are_the_generators_own():
    augment = AdaptiveAugment("bgcfnc", 0.5)
    first = augment(IMAGES, rng(1))
    assert torch.equal(augment(IMAGES, rng(1)), first)
    assert not torch.equal(augment(IMAGES, rng(2)), first)


def test_cutout_blanks_a_quarter_where_it_fits():
    x = torch.ones(1, 1, 16, 16)
    cut = AdaptiveAugment("cutout", 1.0)(x, percentile=0.5)
    wanted = torch.ones(16, 16)
    wanted[4:12, 4:12] = 0
    assert torch.equal(cut[0, 0], wanted)


def test_noise_has_its_strength():
    x = torch.zeros(4000, 1, 4, 4)
    noisy = AdaptiveAugment("noise", 1.0)(x, rng())
    # The mean of sigma^2 with sigma = 0.1 |n| is 0.01.
    assert noisy.square().mean().item() == pytest.approx(0.01, rel=0.1)


# -- settings --------------------------------------------------------------------------------


def test_selections_hold_what_they_are_called():
    assert AdaptiveAugment("bg").multipliers == dict.fromkeys(SELECTIONS["bg"], 1.0)
    assert SELECTIONS["bgcfnc"][-3:] == ("imgfilter", "noise", "cutout") and len(CHANGES) == 15
    mixed = AdaptiveAugment({"bg": 1, "hue": 0.5}).multipliers
    assert mixed["hue"] == 0.5 and list(mixed)[:7] == list(SELECTIONS["bg"])


@pytest.mark.parametrize(
    ("select", "words"),
    [("bgx", "ADA knows no change 'bgx': did you mean"), ({"hue": -1}, "at least 0, not -1")],
)
def test_a_wrong_selection_is_said_in_one_line(select, words):
    with pytest.raises(UserError, match=words):
        AdaptiveAugment(select)


def test_half_precision_comes_back_as_it_was():
    half = IMAGES.bfloat16()
    changed = AdaptiveAugment("bgc", 1.0)(half, percentile=0.3)
    assert changed.dtype == torch.bfloat16
    torch.testing.assert_close(
        changed, AdaptiveAugment("bgc", 1.0)(half.float(), percentile=0.3).bfloat16()
    )


def test_overfitting_is_measured_as_in_section_3():
    real = torch.tensor([2.0, 1.0, -1.0, 0.5])
    assert overfitted_by_sign(real).item() == 0.5
    heldout, fake = torch.tensor([0.125]), torch.tensor([-1.375])
    assert overfitted_by_heldout(real, heldout, fake).item() == 0.25


def test_changes_never_wait_for_the_images_device():
    """On the device `meta` nothing can be read back, as a margin that was computed there would."""
    x = torch.empty(4, 3, 16, 12, device="meta")
    draws = Draws.of(x, 0.5, rng())
    on = dict.fromkeys(CHANGES, 1.0)
    changed = geometry.warped(x, geometry.drawn_inverse(draws, on))
    changed = coloured(changed, drawn_colours(draws, on))
    changed = filtered(changed, drawn_bands(draws, 1.0))
    assert changed.shape == x.shape
    assert changed.device.type == "meta"
