"""R1 and R2 by finite differences: penalties without a second backward pass.

For a direction n of standard normal numbers the slope of the critic along it is, as sigma goes to
0, (D(x + sigma n) - D(x)) / sigma = n . grad D(x), whose square has the expectation
|grad D(x)|^2. So one more forward pass estimates the penalty without bias up to order sigma^2, and
any critic can be penalised whose second derivative is missing, such as fused attention, or out of
reach, such as a compiled one. Lin et al. 2025, "Diffusion Adversarial Post-Training for One-Step
Video Generation", arXiv:2501.08316 ("approximated R1"), here divided by sigma^2.

The price is noise: for a linear critic the estimate of one sample has the standard deviation
sqrt(2) |grad D|^2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.losses.penalties import Critic, Samples, parts_of, shapes_of
from zerosum.losses.precision import float32_region, full_precision


def finite_r1(
    critic: Critic,
    real: Samples,
    *,
    sigma: float = 0.01,
    noise: Samples | None = None,
    logits: Tensor | None = None,
) -> Tensor:
    """Squared slope of the critic along a random direction at real data, an estimate of `r1`.

    The critic may be compiled, and is not run under autocast: a difference of half-precision
    logits would be rounding noise. Both passes draw the same random numbers, so that dropout and
    augmentation cancel. What a forward pass moves does not: a running statistic, or a spectral
    norm's power iteration that has not settled, adds the square of its change over sigma.

    Args:
        critic: Maps samples (B, ...), or one argument per part, to logits (B,) or (B, ...), which
            are summed per sample.
        real: A batch (B, ...), or a tuple of batches; used detached and in float32.
        sigma: Length of the step, in units of the samples; for images in [-1, 1] 0.01 is usual.
        noise: Directions, of the samples' shapes; standard normal when None.
        logits: Logits of the unmoved samples where they are known already, which saves a pass.
            In float32, and of a critic without dropout or augmentation.

    Returns:
        The mean over the batch, a scalar. The weight gamma / 2 is the caller's.

    Raises:
        UserError: Sigma is not positive, shapes do not fit, or the logits are in half precision.
    """
    if sigma <= 0:
        raise UserError(f"the sigma of a finite difference must be positive, not {sigma}")
    reals = tuple(full_precision(part.detach()) for part in parts_of(real))
    noises = tuple(map(torch.randn_like, reals)) if noise is None else parts_of(noise)
    if [part.shape for part in reals] != [part.shape for part in noises]:
        raise UserError(
            f"noise {shapes_of(noises)} does not have the shape of the samples {shapes_of(reals)}"
        )
    if logits is not None and logits.dtype not in (torch.float32, torch.float64):
        raise UserError(
            f"a finite difference needs logits in float32, not {logits.dtype}: leave them out"
        )
    moved = tuple(part + sigma * move.to(part) for part, move in zip(reals, noises))
    devices = [part.device for part in reals[:1] if part.device.type == "cuda"]
    with float32_region():
        if logits is None:
            with torch.random.fork_rng(devices):  # the next pass draws these numbers again
                logits = critic(*reals)
        rise = critic(*moved) - logits
    return (rise.reshape(len(rise), -1).sum(1) / sigma).square().mean()


def finite_r2(
    critic: Critic,
    fake: Samples,
    *,
    sigma: float = 0.01,
    noise: Samples | None = None,
    logits: Tensor | None = None,
) -> Tensor:
    """As `finite_r1`, at fake samples: an estimate of `r2`; they are used detached."""
    return finite_r1(critic, fake, sigma=sigma, noise=noise, logits=logits)
