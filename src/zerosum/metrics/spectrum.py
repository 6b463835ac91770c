"""The radial power spectrum: how much of each spatial frequency a set of images holds.

Upsampling leaves its mark at high frequencies, which eyes and features overlook (Durall et al.
2020, "Watch your up-convolution").
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, checked, matched
from zerosum.metrics.score import Z95, Score, around

QUANTISATION = (2 / 255) ** 2 / 12
"""Power of the rounding of images in [−1, 1] to bytes: below it no spectrum can be compared."""


@dataclass(frozen=True, kw_only=True)
class RadialSpectrum:
    """Mean power in rings of equal width, with 95 % intervals over the images.

    Attributes:
        frequency: Middle of each ring in cycles per pixel, from 0 to at most 0.5, shape (R,).
        power: Mean power per Fourier coefficient, shape (R,); white noise of variance σ² has σ²
            everywhere.
        low: Lower end of the interval, shape (R,).
        high: Upper end, shape (R,).
        n: Number of images.
    """

    frequency: Tensor
    power: Tensor
    low: Tensor
    high: Tensor
    n: int


def radial_spectrum(images: Array, *, subtract_mean: bool = True) -> RadialSpectrum:
    """Azimuthal mean of |FFT|² / (H W), averaged over channels and images.

    Rings are 1 / min(H, W) wide and centred on its multiples; the corners of the frequency
    square beyond 0.5 cycles per pixel belong to no ring. No window is applied: images with
    unlike opposite edges show a cross of leaked power, in real and fake ones alike.

    Args:
        images: Shape (N, C, H, W), N ≥ 2; H, W ≥ 2.
        subtract_mean: Whether to take each image's channel mean away, which empties frequency 0.

    Raises:
        UserError: Malformed images.
    """
    profile, side = _profiles(images, "images", subtract_mean)
    mean = profile.mean(0)
    half = Z95 * profile.std(0) / len(profile) ** 0.5
    return RadialSpectrum(
        frequency=torch.arange(len(mean), dtype=torch.float64, device=profile.device) / side,
        power=mean,
        low=mean - half,
        high=mean + half,
        n=len(profile),
    )


def spectrum_distance(*, real: Array, fake: Array, quiet: float = QUANTISATION) -> Score:
    """Root mean square, over the rings but the first, of the powers' ratio in decibels.

    0 for the same spectrum, 3 where all powers are about doubled or halved. The score is ours: the
    literature shows the curves (Durall et al. 2020) and agrees on no distance between them.

    It is biased up by the noise of both spectra, so compare it with that of held-out reals. The
    interval is the delta method's over the images of both sets; near 0, where the root has no
    derivative, it is a rough one.

    Args:
        real: Real images, shape (N, C, H, W).
        fake: Generated images, shape (M, C, H, W).
        quiet: Power added to both spectra, so that none is 0; for pixels in [−1, 1].

    Raises:
        UserError: Malformed or mismatched images, or `quiet` not above 0.
    """
    if not quiet > 0:
        raise UserError(f"quiet is {quiet}: set it above 0")
    first, second = checked(real, "real", rank=4), checked(fake, "fake", rank=4)
    matched(first, second, "fake")
    profiles = [_profiles(part, "images", True)[0][:, 1:] for part in (first, second)]
    powers = [profile.mean(0) + quiet for profile in profiles]
    gap = 10 * (powers[1].log10() - powers[0].log10())
    value = float(gap.square().mean().sqrt())
    variance = 0.0
    if value > 0:
        slope = gap / (value * len(gap)) * (10 / math.log(10))
        variance = sum(
            float((profile @ (slope / power)).var()) / len(profile)
            for profile, power in zip(profiles, powers)
        )
    return Score(
        value=value,
        interval=around(value, variance),
        n_real=len(first),
        n_fake=len(second),
        floor=0.0,
    )


def _profiles(images: Array, name: str, subtract_mean: bool) -> tuple[Tensor, int]:
    """Each image's mean power in every ring, shape (N, R), and the shorter side."""
    batch = checked(images, name, rank=4)
    height, width = batch.shape[2:]
    side = min(height, width)
    if side < 2:
        raise UserError(f"images are {height} by {width}: a spectrum needs 2 by 2 pixels")
    fy = torch.fft.fftfreq(height, dtype=torch.float64, device=batch.device)
    fx = torch.fft.fftfreq(width, dtype=torch.float64, device=batch.device)
    # The nudge keeps radii that are exactly half-way in one ring whatever their round-off.
    ring = (torch.hypot(fy[:, None], fx) * side + 0.5 + 1e-9).floor().long().flatten()
    count = side // 2 + 1
    inside = ring < count
    members = torch.bincount(ring[inside], minlength=count)
    rows = []
    for part in batch.split(256):
        pixels = part.double()
        if subtract_mean:
            pixels = pixels - pixels.mean((2, 3), keepdim=True)
        power = torch.fft.fft2(pixels, norm="ortho").abs().square().mean(1).flatten(1)
        sums = power.new_zeros(len(power), count).index_add_(1, ring[inside], power[:, inside])
        rows.append(sums / members)
    return torch.cat(rows), side
