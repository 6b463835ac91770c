"""A convolutional encoder with Gaussian codes, its decoder, and their KL term."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zerosum.nets.plain import Generator, Trunk


class GaussianEncoder(nn.Module):
    """Images (B, channels, H, W) to means and log variances (B, latent) of codes."""

    def __init__(self, latent: int, width: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.trunk = Trunk(width, channels, size)
        self.code = nn.Linear(self.trunk.features, 2 * latent)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.code(self.trunk(images)).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 8)  # a variance beyond these is an overflow to come


class Decoder(nn.Module):
    """Codes (B, latent) to images (B, channels, H, W), with one standard deviation for pixels.

    Attributes:
        log_sigma: Logarithm of the pixels' standard deviation, a scalar.
    """

    def __init__(self, latent: int, width: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.network = Generator(latent, width, channels, size)
        self.log_sigma = nn.Parameter(torch.zeros(()))

    def forward(self, codes: Tensor) -> Tensor:
        return self.network(codes)


def normal_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) in nats (Kingma & Welling 2014, appendix B).

    Args:
        mean: Shape (B, D).
        log_variance: Shape (B, D).

    Returns:
        The sum over coordinates, shape (B,).
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
