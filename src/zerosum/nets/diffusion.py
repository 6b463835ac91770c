"""The process that turns data into noise in steps, and its reverse when the data are known.

Ho, Jain and Abbeel 2020, "Denoising Diffusion Probabilistic Models", arXiv:2006.11239.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zerosum.layers.embed import Sinusoids


class Diffusion(nn.Module):
    """Gaussian noise added in T steps.

    Attributes:
        kept: Share of the data's variance left after t steps (alpha bar of the paper), float64
            of length T + 1, starting at 1.

    Args:
        betas: Share of noise that each step adds, T numbers in (0, 1).
    """

    kept: Tensor

    def __init__(self, betas: Tensor) -> None:
        super().__init__()
        kept = torch.cat([torch.ones(1, dtype=torch.float64), (1 - betas.double()).cumprod(0)])
        self.register_buffer("kept", kept, persistent=False)

    @property
    def steps(self) -> int:
        return len(self.kept) - 1

    def noised(self, data: Tensor, time: Tensor, noise: Tensor) -> Tensor:
        """Data (B, ...) after so many steps (B,), by standard normal noise (B, ...) (eq. 4)."""
        return self._at(self.kept.sqrt(), time, data) * data + (
            self._at((1 - self.kept).sqrt(), time, data) * noise
        )

    def without(self, noised: Tensor, time: Tensor, noise: Tensor) -> Tensor:
        """The data (B, ...) that this noise turned into `noised`: the inverse of eq. 4."""
        noisy = self._at((1 - self.kept).sqrt(), time, noised)
        return (noised - noisy * noise) / self._at(self.kept.sqrt(), time, noised)

    def posterior(self, data: Tensor, noised: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (B, ...) and variance (B, 1, ...) one step earlier, given data and later (eq. 7).

        Args:
            data: x_0 (B, ...).
            noised: x_t (B, ...).
            time: t (B,), from 1 to T.
        """
        now, before = self.kept[time], self.kept[time - 1]
        beta = 1 - now / before
        of_data = before.sqrt() * beta / (1 - now)
        of_noised = (now / before).sqrt() * (1 - before) / (1 - now)
        variance = beta * (1 - before) / (1 - now)
        wide = [-1] + [1] * (data.ndim - 1)
        mean = of_data.view(wide).to(data) * data + of_noised.view(wide).to(data) * noised
        return mean, variance.view(wide).to(data)

    @staticmethod
    def _at(values: Tensor, time: Tensor, like: Tensor) -> Tensor:
        return values[time].view([-1] + [1] * (like.ndim - 1)).to(like)


def linear_betas(steps: int) -> Tensor:
    """From 1e-4 to 0.02 over 1,000 steps, in proportion for other numbers (section 4)."""
    scale = 1_000 / steps
    return torch.linspace(1e-4 * scale, 0.02 * scale, steps, dtype=torch.float64).clamp(max=0.999)


def variance_preserving_betas(steps: int, least: float = 0.1, most: float = 20.0) -> Tensor:
    """The continuous process of Song et al. 2021 in a few steps, whatever their number.

    beta_t = 1 - exp(-least / T - (most - least)(2 t - 1) / (2 T^2)) (Xiao, Kreis and Vahdat
    2022, arXiv:2112.07804, appendix).
    """
    t = torch.arange(1, steps + 1, dtype=torch.float64)
    return 1 - torch.exp(-least / steps - (most - least) * (2 * t - 1) / (2 * steps**2))


class Clock(nn.Module):
    """Times (B,), as shares of the process, to vectors (B, size)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        # Shares of 1 would all look alike to waves with periods of 2 pi and longer.
        self.waves = Sinusoids(size, longest=1_000.0)
        self.layers = nn.Sequential(nn.Linear(size, size), nn.SiLU(), nn.Linear(size, size))

    def forward(self, share: Tensor) -> Tensor:
        return self.layers(self.waves(1_000 * share))
