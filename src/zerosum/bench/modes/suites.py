"""The laws with known modes: ring, grid, a mixture in 1,200 dimensions, stacked digits.

Ring, grid and the mixture in 1,200 dimensions come from VEEGAN (Srivastava et al. 2017,
arXiv:1705.07761, section 4), in the sizes of PacGAN (Lin et al. 2018, arXiv:1712.04086, section
4.1); stacked MNIST from Metz et al. 2017 (arXiv:1611.02163, section 3.3.1).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Final

import torch
from scipy.stats import chi2
from torch import Tensor

from zerosum.bench.modes.measure import Coverage, coverage, spread
from zerosum.bench.modes.stack import Streams
from zerosum.modalities.points import Toy

SIGMAS = 3.0
"""Distance of a sample of high quality from its mode, in standard deviations."""

ACCEPTANCE = 1 - math.exp(-(SIGMAS**2) / 2)
"""Share of a perfect sampler's points within `SIGMAS` in the plane: 98.89 %."""


class Suite(ABC):
    """A law with known modes.

    Attributes:
        shape: Of one sample.
        modes: How many there are, K.
        law: The share of each, (K,).
        samples: How many are drawn to judge a generator.
        draws: How often a perfect sampler is judged, for the table.
        expected: What a perfect sampler must score, in words.
    """

    shape: tuple[int, ...]
    modes: int
    law: Tensor
    samples: int
    draws: int = 10
    expected: str = ""

    @abstractmethod
    def draw(self, streams: Streams, rows: int) -> Tensor:
        """Training samples (S * rows, *shape), from each seed's own stream."""

    @abstractmethod
    def oracle(self, rng: torch.Generator) -> Tensor:
        """`samples` samples of the law itself, on the CPU."""

    @abstractmethod
    def judge(self, samples: Tensor) -> Coverage:
        """What generated samples (N, *shape) cover."""

    def note(self) -> str:
        """A line under the table."""
        return self.expected


class Points(Suite):
    """Gaussians in the plane, from `zerosum.data`: 100,000 training points, seed 0."""

    samples: int = 2_500

    def __init__(self, name: str, device: torch.device) -> None:
        config = Toy.model_validate({"name": name, "count": 100_000})
        train = config.open().train
        self.points = train.fetch(range(100_000))["point"].to(device)  # pyright: ignore
        self.centres, self.sigma = config.modes_of()
        self.modes, self.shape = len(self.centres), (2,)
        self.law = torch.full((self.modes,), 1 / self.modes)
        floor = (self.modes - 1) / (2 * self.samples)
        self.expected = (
            f"expected of a perfect sampler: {100 * ACCEPTANCE:.2f} % high quality (1 - e^-4.5), "
            f"reverse KL {floor:.4f} ((K - 1) / 2N), spread 1"
        )

    def draw(self, streams: Streams, rows: int) -> Tensor:
        return self.points[streams.integers(len(self.points), rows)]

    def oracle(self, rng: torch.Generator) -> Tensor:
        which = torch.randint(self.modes, (self.samples,), generator=rng)
        noise = torch.randn(self.samples, 2, generator=rng)
        return self.centres[which] + self.sigma * noise

    def judge(self, samples: Tensor) -> Coverage:
        distance, mode = torch.cdist(
            samples.double(), self.centres.double(), compute_mode="donot_use_mm_for_euclid_dist"
        ).min(1)
        good = distance < SIGMAS * self.sigma
        counts = mode[good].bincount(minlength=self.modes)
        ratio = spread(samples[good], mode[good], self.sigma, SIGMAS)
        return coverage(counts, len(samples), self.law, spread=ratio)


class HighDimensional(Suite):
    """Ten Gaussians in 1,200 dimensions, with noise in 700 of them only.

    A distance of three standard deviations would reject every true sample: their squared
    distance is chi-squared with 700 degrees of freedom. High quality is instead a squared
    distance, in the noisy coordinates, below that law's quantile with the plane's acceptance
    (a radius of 28.08), and a root mean square deviation of at most `SILENCE` in the others,
    where the data have none.
    """

    OFFSETS: Final = (-1.0, -0.5, 0.0, 0.5, -2.0, -2.5, 10.0, 0.25, -13.0, -5.5)
    NOISY: Final = 700
    SILENCE: Final = 0.1
    """Less than half of the 0.25 between the closest modes; no generator gives exact zeros."""

    samples: int = 2_500
    shape = (1_200,)

    def __init__(self, device: torch.device) -> None:
        self.offsets = torch.tensor(self.OFFSETS, device=device)
        self.modes = len(self.OFFSETS)
        self.law = torch.full((self.modes,), 1 / self.modes)
        self.limit = float(chi2.ppf(ACCEPTANCE, self.NOISY))
        self.expected = (
            f"expected of a perfect sampler: {100 * ACCEPTANCE:.2f} % high quality (by the "
            f"choice of the radius, {math.sqrt(self.limit):.2f}), spread 1"
        )

    def draw(self, streams: Streams, rows: int) -> Tensor:
        return self._samples(streams.integers(self.modes, rows), streams.normal(rows, self.NOISY))

    def oracle(self, rng: torch.Generator) -> Tensor:
        which = torch.randint(self.modes, (self.samples,), generator=rng)
        noise = torch.randn(self.samples, self.NOISY, generator=rng)
        return self._samples(which.to(self.offsets.device), noise.to(self.offsets.device)).cpu()

    def _samples(self, which: Tensor, noise: Tensor) -> Tensor:
        mean = self.offsets[which, None]
        silent = mean.expand(-1, self.shape[0] - self.NOISY)
        return torch.cat([mean + noise, silent], dim=1)

    def judge(self, samples: Tensor) -> Coverage:
        samples, offsets = samples.double(), self.offsets.cpu().double()
        # The nearest of modes on one diagonal is the nearest to the mean of the coordinates.
        mode = (samples.mean(1)[:, None] - offsets).abs().argmin(1)
        away = samples - offsets[mode, None]
        near = away[:, : self.NOISY].square().sum(1) < self.limit
        good = near & (away[:, self.NOISY :].square().mean(1).sqrt() <= self.SILENCE)
        counts = mode[good].bincount(minlength=self.modes)
        noisy = samples[good, : self.NOISY]
        ratio = spread(noisy, mode[good], 1.0, math.sqrt(self.limit))
        return coverage(counts, len(samples), self.law, spread=ratio)
