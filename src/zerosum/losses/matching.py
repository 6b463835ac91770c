"""Losses that match what a critic's layers say of real and of fake samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zerosum.errors import UserError

Features = Tensor | Sequence[Tensor]


def feature_matching(real_features: Features, fake_features: Features) -> Tensor:
    """Layer-wise L1 between paired samples (pix2pixHD, Wang et al. 2018).

    HiFi-GAN (Kong et al. 2020) uses it too. Each layer gives the mean absolute difference of its
    elements; the layers are summed. The i-th fake belongs to the i-th real sample: a translation
    or a reconstruction of it. Real features are targets and get no gradient.

    Args:
        real_features: One tensor (B, ...) or one per layer.
        fake_features: The same shapes.

    Returns:
        A scalar. Divide by the number of layers or of critics if your paper does.

    Raises:
        UserError: The numbers or the shapes of the layers differ.
    """
    pairs = _paired(real_features, fake_features)
    for real, fake in pairs:
        if real.shape != fake.shape:
            raise UserError(
                f"features of one layer differ in shape: {tuple(real.shape)} real, "
                f"{tuple(fake.shape)} fake"
            )
    return torch.stack([(fake - real.detach()).abs().mean() for real, fake in pairs]).sum()


def mean_matching(real_features: Features, fake_features: Features) -> Tensor:
    """Squared distance between batch means of features (Salimans et al. 2016, section 3.1).

    For unpaired samples: only the averages have to agree. Batches may differ in size.

    Args:
        real_features: One tensor (B, ...) or one per layer.
        fake_features: The same layers.

    Returns:
        The sum over layers of |E f(real) - E f(fake)|^2, a scalar.

    Raises:
        UserError: The numbers or the shapes of the layers differ.
    """
    total = []
    for real, fake in _paired(real_features, fake_features):
        if real.shape[1:] != fake.shape[1:]:
            raise UserError(
                f"features of one layer differ in shape: {tuple(real.shape[1:])} real, "
                f"{tuple(fake.shape[1:])} fake"
            )
        total.append((fake.mean(0) - real.detach().mean(0)).square().sum())
    return torch.stack(total).sum()


def _paired(real: Features, fake: Features) -> list[tuple[Tensor, Tensor]]:
    reals = [real] if isinstance(real, Tensor) else list(real)
    fakes = [fake] if isinstance(fake, Tensor) else list(fake)
    if len(reals) != len(fakes) or not reals:
        raise UserError(
            f"feature matching needs as many real layers as fake ones, not {len(reals)} and "
            f"{len(fakes)}"
        )
    return list(zip(reals, fakes))
