"""Metrics on pixels: spectra, structural similarity, path length and equivariance."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from zerosum.errors import UserError
from zerosum.metrics import (
    ms_ssim,
    ms_ssim_variety,
    perceptual_path_length,
    radial_spectrum,
    resampling,
    rotation_equivariance,
    spectrum_distance,
    translation_equivariance,
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_white_noise_is_flat():
    noise = 3 * torch.randn(300, 2, 16, 16, generator=rng())
    found = radial_spectrum(noise, subtract_mean=False)
    torch.testing.assert_close(found.power, torch.full((9,), 9.0).double(), rtol=0.15, atol=0)
    assert bool(((found.low < 9.6) & (found.high > 8.4)).all())
    torch.testing.assert_close(found.frequency, torch.arange(9).double() / 16)
    assert radial_spectrum(noise).power[0] == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize("cycles", [1, 5, 8])
@pytest.mark.parametrize("upright", [True, False])
def test_a_wave_falls_in_its_ring(cycles, upright):
    wave = torch.cos(2 * math.pi * cycles * torch.arange(16) / 16)
    image = wave.expand(16, 16) if upright else wave[:, None].expand(16, 16)
    power = radial_spectrum(image.expand(2, 1, 16, 16)).power
    assert int(power.argmax()) == cycles
    assert float(power.sum() - power[cycles]) < 1e-10


def test_rings_hold_all_the_power_there_is():
    """Parseval: with every corner empty, ring sums give the image's energy."""
    image = torch.randn(2, 1, 1, 16, generator=rng()).expand(2, 1, 16, 16).double()
    found = radial_spectrum(image, subtract_mean=False)
    fy, fx = np.meshgrid(np.fft.fftfreq(16), np.fft.fftfreq(16), indexing="ij")
    ring = np.floor(np.hypot(fy, fx) * 16 + 0.5).astype(int)
    sizes = np.array([(ring == r).sum() for r in range(9)])
    energy = float(image.square().sum()) / 2
    assert float(found.power @ torch.tensor(sizes).double()) == pytest.approx(energy)


def test_spectrum_distance_in_decibels():
    images = torch.randn(40, 1, 16, 16, generator=rng())
    assert spectrum_distance(real=images, fake=images).value == 0
    twice = spectrum_distance(real=images, fake=2 * images, quiet=1e-30)
    assert twice.value == pytest.approx(20 * math.log10(2))
    assert spectrum_distance(real=2 * images, fake=images, quiet=1e-30) == pytest.approx(twice)
    apart = spectrum_distance(real=images, fake=images + 3)
    assert apart.value < 1e-4, "brightness is no frequency"
    flat = spectrum_distance(real=images, fake=0 * images, quiet=1e-3)
    assert flat.value == pytest.approx(30, abs=0.5)
    with pytest.raises(UserError, match="above 0"):
        spectrum_distance(real=images, fake=images, quiet=0.0)
    with pytest.raises(UserError, match="same extractor"):
        spectrum_distance(real=images, fake=images[..., :8])


def naive_ms_ssim(x, y, scales, peak):
    grid = np.arange(11) - 5
    window = np.exp(-(grid[:, None] ** 2 + grid**2) / (2 * 1.5**2))
    window /= window.sum()

    def blur(image):
        return convolve2d(image, window, mode="valid")

    weights = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])[:scales]
    weights /= weights.sum()
    c1, c2, result = (0.01 * peak) ** 2, (0.03 * peak) ** 2, 1.0
    for scale in range(scales):
        mx, my = blur(x), blur(y)
        vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
        part = (2 * cov + c2) / (vx + vy + c2)
        if scale == scales - 1:
            part = part * (2 * mx * my + c1) / (mx**2 + my**2 + c1)
        result *= max(part.mean(), 0) ** weights[scale]
        half = x.shape[0] // 2
        x, y = (a.reshape(half, 2, half, 2).mean((1, 3)) for a in (x, y))
    return result


@pytest.mark.parametrize("scales", [1, 3])
def test_ms_ssim_against_the_definition(scales):
    x = torch.rand(3, 1, 48, 48, generator=rng()).double()
    y = (x + 0.2 * torch.randn(3, 1, 48, 48, generator=rng(1))).clamp(0, 1)
    found = ms_ssim(x, y, peak=1.0, scales=scales)
    for i in range(3):
        expected = naive_ms_ssim(x[i, 0].numpy(), y[i, 0].numpy(), scales, 1.0)
        assert float(found[i]) == pytest.approx(expected, rel=1e-9)


def test_ms_ssim_limits():
    x = torch.rand(2, 3, 176, 176, generator=rng())
    torch.testing.assert_close(ms_ssim(x, x, peak=1.0), torch.ones(2).double())
    assert float(ms_ssim(x, 1 - x, peak=1.0).max()) == 0
    twice = ms_ssim(2 * x, 2 * x.flip(0), peak=2.0)
    torch.testing.assert_close(twice, ms_ssim(x, x.flip(0), peak=1.0))
    with pytest.raises(UserError, match="lower scales"):
        ms_ssim(x[..., :32, :32], x[..., :32, :32], peak=1.0)
    with pytest.raises(UserError, match="as many"):
        ms_ssim(x, x[:1], peak=1.0)


def test_variety():
    same = torch.rand(1, 1, 24, 24, generator=rng()).repeat(5, 1, 1, 1)
    assert ms_ssim_variety(fake=same, peak=1.0, scales=1).value == pytest.approx(1)
    varied = ms_ssim_variety(fake=torch.rand(5, 1, 24, 24, generator=rng()), peak=1.0, scales=1)
    assert varied.value < 0.2
    # All ordered pairs of five images, by hand.
    images = torch.rand(5, 1, 24, 24, generator=rng())
    pairs = [(i, j) for i in range(5) for j in range(5) if i != j]
    i, j = (torch.tensor(side) for side in zip(*pairs))
    mean = float(ms_ssim(images[i], images[j], peak=1.0, scales=1).mean())
    assert varied.value == pytest.approx(mean, abs=0.01)


@pytest.mark.parametrize("epsilon", [1e-1, 1e-4])
@pytest.mark.parametrize("whole_path", [True, False])
def test_path_length_of_a_linear_generator(epsilon, whole_path):
    """E ‖A (w₁ − w₀)‖², whatever the step."""
    a = torch.randn(6, 20, generator=rng()).double()
    starts, ends = torch.randn(2, 300, 6, generator=rng(1)).double()
    found = perceptual_path_length(
        lambda w: w @ a,
        lambda x, y: (x - y).square().sum(1),
        starts=starts,
        ends=ends,
        epsilon=epsilon,
        whole_path=whole_path,
        trim=0.0,
    )
    lengths = ((ends - starts) @ a).square().sum(1)
    assert found.value == pytest.approx(float(lengths.mean()), rel=1e-6)
    half = 1.96 * float(lengths.std()) / 300**0.5
    assert found.interval == pytest.approx((found.value - half, found.value + half), rel=1e-3)


def test_path_length_trims_both_ends():
    ends = torch.arange(1.0, 101.0).double().sqrt()[:, None]
    found = perceptual_path_length(
        lambda w: w, lambda x, y: (x - y).square().sum(1), starts=0 * ends, ends=ends, trim=0.1
    )
    assert found.value == pytest.approx(np.arange(11, 91).mean(), rel=1e-6)


def roller(noise=0.0):
    """A generator that moves stored images by whole pixels, exact but for added noise."""
    images = torch.rand(8, 2, 16, 16, generator=rng()) * 2 - 1
    source = rng(1)

    def render(latents, matrices):
        moved = []
        for code, matrix in zip(latents, matrices):
            dx, dy = (round(float(step) * 8) for step in matrix[:2, 2])
            moved.append(images[int(code[0])].roll((dy, dx), (1, 2)))
        batch = torch.stack(moved)
        if noise and not torch.equal(matrices, torch.eye(3).expand_as(matrices)):
            batch = batch + noise * torch.randn(batch.shape, generator=source)
        return batch

    return render


def test_translation_equivariance():
    latents = torch.arange(8.0)[:, None]
    assert translation_equivariance(roller(), latents).value == math.inf
    found = translation_equivariance(roller(0.1), latents, batch=3)
    expected = 20 * math.log10(2) + 20
    assert found.value == pytest.approx(expected, abs=0.4)
    assert found.interval[0] < expected < found.interval[1]


def test_translation_ignores_what_comes_from_outside():
    """A scene that goes on beyond the frame moves perfectly; its rolled image does not."""

    def scene(latents, matrices):
        pixels = torch.arange(32)
        steps = (matrices[:, :2, 2] * 16).round().long()
        x = (pixels - steps[:, 0:1] + 100)[:, None, :].expand(-1, 32, -1)
        y = (pixels - steps[:, 1:2] + 100)[:, :, None].expand(-1, -1, 32)
        return torch.sin(x * 12.9898 + y * 78.233)[:, None]

    assert translation_equivariance(scene, torch.zeros(6, 1)).value == math.inf


def waves(latents, matrices):
    """A smooth scene that goes on beyond the frame and moves by any step."""
    axis = (torch.arange(32) + 0.5) / 16 - 1
    x = axis - matrices[:, 0, 2:]
    y = axis - matrices[:, 1, 2:]
    return (torch.sin(9 * x)[:, None, :] * torch.cos(7 * y)[:, :, None] + 0.3)[:, None]


def test_fractional_translation():
    latents = torch.zeros(12, 1)
    right = translation_equivariance(waves, latents, fractional=True)
    assert right.value > 45
    # Moving by the nearest whole pixel is right for EQ-T and wrong between.

    def stepping(z, m):
        whole = m.clone()
        whole[:, :2, 2] = (m[:, :2, 2] * 16).round() / 16
        return waves(z, whole)

    assert translation_equivariance(stepping, latents).value > 80
    found = translation_equivariance(stepping, latents, fractional=True)
    assert found.value < 30
    # Errors of up to half a pixel, evenly: the mean square of the slopes over 12.
    axis = (torch.arange(3200) + 0.5) / 1600 - 1
    along = 81 * (9 * axis).cos().square().mean() * (7 * axis).cos().square().mean()
    across = 49 * (9 * axis).sin().square().mean() * (7 * axis).sin().square().mean()
    expected = 20 * math.log10(2) - 10 * math.log10(float(along + across) / 16**2 / 12)
    many = translation_equivariance(stepping, torch.zeros(600, 1), fractional=True)
    assert many.value == pytest.approx(expected, abs=0.6)


def test_fractional_translation_of_flat_images_is_perfect():
    def flat(latents, matrices):
        return latents[:, :, None, None].expand(-1, 1, 24, 20)

    found = translation_equivariance(flat, torch.randn(6, 1, generator=rng()), fractional=True)
    assert found.value > 130


def test_rotation_equivariance():
    axis = (torch.arange(64) + 0.5) / 32 - 1

    def blob(latents, matrices):
        centre = matrices @ torch.tensor([0.3, 0.1, 1.0])
        dx, dy = (axis - centre[:, i : i + 1] for i in (0, 1))
        return torch.exp(-(dx[:, None, :] ** 2 + dy[:, :, None] ** 2) / 0.02)[:, None]

    right = rotation_equivariance(blob, torch.zeros(12, 1))
    wrong = rotation_equivariance(lambda z, m: blob(z, m.mT), torch.zeros(12, 1))
    assert right.value > 55
    assert wrong.value < 30


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 4])
def test_fine_waves_that_turn_exactly_score_high(angle):
    """What the filter takes from the reference it takes from the rendered image too."""
    axis = torch.arange(64, dtype=torch.float64) - 31.5
    place = torch.stack([axis.expand(64, 64), axis[:, None].expand(64, 64)], -1)
    wave = 2 * math.pi * 0.3 * torch.tensor([math.cos(angle), math.sin(angle)]).double()

    def scene(latents, matrices):
        source = torch.einsum("hwi,bij->bhwj", place, matrices[:, :2, :2])
        return torch.sin(source @ wave)[:, None]

    assert rotation_equivariance(scene, torch.zeros(12, 1).double()).value > 60


def test_a_quarter_turn_only_filters():
    images = torch.randn(3, 2, 32, 32, generator=rng(), dtype=torch.float64)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]]).double().expand(3, 2, 2)
    one = resampling.turned(images, quarter)
    other = resampling.blurred_as_turned(images.rot90(-1, (2, 3)), quarter)
    inner = (..., slice(9, -9), slice(9, -9))
    assert torch.allclose(one[inner], other[inner], atol=2e-3)
    assert other[inner].std() < 0.9 * images.std()  # the corners of the square are gone


def test_rotation_ignores_what_comes_from_outside():
    """A smooth scene that goes on beyond the frame: only the inscribed disc is comparable."""
    axis = (torch.arange(32) + 0.5) / 16 - 1
    place = torch.stack([axis.expand(32, 32), axis[:, None].expand(32, 32)], -1)

    def scene(latents, matrices):
        # What shows at a place is the scene at the place turned back.
        source = torch.einsum("hwi,bij->bhwj", place, matrices[:, :2, :2])
        return (2 + torch.sin(2 * source[..., 0]) * torch.cos(3 * source[..., 1]))[:, None]

    assert rotation_equivariance(scene, torch.zeros(8, 1)).value > 45


def test_errors():
    with pytest.raises(UserError, match="reshape it to"):
        radial_spectrum(torch.zeros(3, 4))
    with pytest.raises(UserError, match="as many"):
        perceptual_path_length(
            lambda w: w, lambda x, y: x, starts=torch.zeros(3, 2), ends=torch.zeros(4, 2)
        )
    with pytest.raises(UserError, match="reach"):
        translation_equivariance(roller(), torch.zeros(3, 1), reach=2.0)
    with pytest.raises(UserError, match="square"):
        rotation_equivariance(lambda z, m: torch.zeros(len(z), 1, 4, 6), torch.zeros(3, 1))
