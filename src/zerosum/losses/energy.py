"""Objectives of critics that give an energy (a reconstruction error, never negative).

Low energy means real, the opposite of a logit, so these are plain functions and no `Objective`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize, relu

from zerosum.errors import UserError


def ebgan_critic(real_energy: Tensor, fake_energy: Tensor, *, margin: float) -> Tensor:
    """E[e_real] + E[max(0, margin - e_fake)] (Zhao, Mathieu & LeCun 2017, eq. 1).

    Args:
        real_energy: Energies (B,) of real samples.
        fake_energy: Energies (B,) of fake samples.
        margin: Energy above which a fake sample is left alone, positive, in units of energy.

    Raises:
        UserError: The margin is not positive.
    """
    if margin <= 0:
        raise UserError(f"the margin of EBGAN must be positive, not {margin}")
    return real_energy.mean() + relu(margin - fake_energy).mean()


def ebgan_generator(fake_energy: Tensor) -> Tensor:
    """E[e_fake] (Zhao, Mathieu & LeCun 2017, eq. 2)."""
    return fake_energy.mean()


def pulling_away(features: Tensor) -> Tensor:
    """Mean squared cosine between the features of different samples, in [0, 1] (EBGAN's PT).

    Added to the generator's loss it drives the samples of a batch apart.

    Args:
        features: Encoder outputs (B, F), B >= 2.

    Raises:
        UserError: Fewer than two samples, or features that are not (B, F).
    """
    if features.ndim != 2 or len(features) < 2:
        raise UserError(f"pulling_away needs features (B >= 2, F), not {tuple(features.shape)}")
    unit = normalize(features, dim=1)
    squared = (unit @ unit.T).square()
    count = len(features)
    return (squared.sum() - squared.diagonal().sum()) / (count * (count - 1))


def began_critic(real_energy: Tensor, fake_energy: Tensor, balance: Tensor | float) -> Tensor:
    """E[e_real] - k E[e_fake] (Berthelot, Schumm & Metz 2017); `balance` is their k_t."""
    return real_energy.mean() - balance * fake_energy.mean()


def began_generator(fake_energy: Tensor) -> Tensor:
    """E[e_fake] (Berthelot, Schumm & Metz 2017)."""
    return fake_energy.mean()


def began_balance(
    balance: Tensor,
    real_energy: Tensor,
    fake_energy: Tensor,
    *,
    diversity: float = 0.5,
    rate: float = 0.001,
) -> Tensor:
    """The next k of BEGAN: k + rate * (diversity * E[e_real] - E[e_fake]), kept in [0, 1].

    It holds E[e_fake] near diversity * E[e_real]. Keep the result in a buffer of the game; it
    carries no gradient and needs no wait for the device.

    Args:
        balance: k_t, a scalar tensor; 0 at the start.
        real_energy: Energies (B,) of real samples.
        fake_energy: Energies (B,) of the generator's samples.
        diversity: The paper's gamma; lower gives sharper and less varied samples.
        rate: The paper's lambda.
    """
    with torch.no_grad():
        error = diversity * real_energy.mean() - fake_energy.mean()
        return (balance + rate * error).clamp(0, 1)


def began_convergence(
    real_energy: Tensor, fake_energy: Tensor, *, diversity: float = 0.5
) -> Tensor:
    """BEGAN's measure of progress: E[e_real] + |diversity * E[e_real] - E[e_fake]|."""
    real, fake = real_energy.detach().mean(), fake_energy.detach().mean()
    return real + (diversity * real - fake).abs()
