"""Affine coupling layers: an invertible network with a cheap determinant.

Dinh, Sohl-Dickstein and Bengio 2017, "Density estimation using Real NVP", arXiv:1605.08803,
section 3.2 (eqs. 7 and 8).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from zerosum.nets.mlp import mlp


class Coupling(nn.Module):
    """Half of the coordinates scale and shift the other half: y = x exp(s) + t."""

    mask: Tensor

    def __init__(self, mask: Tensor, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mask", mask)
        self.network = mlp([len(mask), *hidden, 2 * len(mask)], slope=0.01)
        last = self.network[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)  # the identity at first
        nn.init.zeros_(last.bias)
        # Bounded logarithms of the scale keep early steps from exploding (section 4.1).
        self.bound = nn.Parameter(torch.ones(len(mask)))

    def _change(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self.network(kept).chunk(2, dim=1)
        free = 1 - self.mask
        return free * self.bound * torch.tanh(log_scale), free * shift

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y (B, D) and the logarithm (B,) of the determinant of dy/dx."""
        log_scale, shift = self._change(x * self.mask)
        return x * log_scale.exp() + shift, log_scale.sum(1)

    def inverse(self, y: Tensor) -> Tensor:
        """x (B, D) of y (B, D)."""
        log_scale, shift = self._change(y * self.mask)
        return (y - shift) * (-log_scale).exp()


class Flow(nn.Module):
    """Couplings of alternating halves between data (B, D) and standard normal codes (B, D).

    Args:
        dimensions: D, at least 2.
        layers: Number of couplings.
        hidden: Widths of the hidden layers of each coupling's network.
    """

    def __init__(self, dimensions: int, layers: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        # Other halves in each pair of layers, so that every coordinate meets every other one.
        rng = torch.Generator().manual_seed(0)
        masks = []
        for _ in range(-(-layers // 2)):
            mask = torch.zeros(dimensions)
            mask[torch.randperm(dimensions, generator=rng)[: dimensions // 2]] = 1
            masks += [mask, 1 - mask]
        self.couplings = nn.ModuleList(Coupling(mask, hidden) for mask in masks[:layers])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Codes z (B, D) and the logarithm (B,) of the determinant of dz/dx."""
        total = x.new_zeros(len(x))
        for coupling in self.couplings:
            x, log_det = coupling(x)
            total = total + log_det
        return x, total

    def inverse(self, z: Tensor) -> Tensor:
        """Data (B, D) of codes (B, D)."""
        for coupling in reversed(self.couplings):
            assert isinstance(coupling, Coupling)
            z = coupling.inverse(z)
        return z

    def log_density(self, x: Tensor) -> Tensor:
        """Natural logarithm (B,) of the density at x (B, D) (eq. 3)."""
        z, log_det = self(x)
        return log_det - 0.5 * (z.square().sum(1) + z.shape[1] * math.log(2 * math.pi))


class Pixels(nn.Module):
    """Between images with a finite number of levels and vectors without bounds.

    Adds uniform noise of one level's width, so that discrete pixels have a density, and takes
    the logit of alpha + (1 - 2 alpha) y (section 4.1).

    Args:
        levels: Values that a pixel can have, evenly from -1 to 1.
        alpha: Keeps black and white away from infinity.
    """

    def __init__(self, levels: int = 256, alpha: float = 0.05) -> None:
        super().__init__()
        self.levels, self.alpha = levels, alpha

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (B, D), and what to add to their log density to get the images'.

        Args:
            images: Shape (B, ...), in [-1, 1].
            noise: Uniform in [0, 1), of the images' shape.

        Returns:
            The vectors, and the logarithm (B,) of the volume change, such that its sum with the
            vectors' log density bounds the images' log probability from below.
        """
        count = self.levels
        share = (((images + 1) / 2 * (count - 1) + noise) / count).flatten(1)
        inner = self.alpha + (1 - 2 * self.alpha) * share
        change = math.log((1 - 2 * self.alpha) / count) - inner.log() - (1 - inner).log()
        return inner.logit(), change.sum(1)

    def inverse(self, vectors: Tensor) -> Tensor:
        """Images (B, D) in [-1, 1] of vectors (B, D), with the noise's mean taken away."""
        share = (vectors.sigmoid() - self.alpha) / (1 - 2 * self.alpha)
        return ((share * self.levels - 0.5) / (self.levels - 1) * 2 - 1).clamp(-1, 1)
