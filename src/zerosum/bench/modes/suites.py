"""The laws with known modes: ring, grid, stacked digits.

Ring and grid come from VEEGAN (Srivastava et al. 2017, arXiv:1705.07761, section 4), in the sizes
of PacGAN (Lin et al. 2018, arXiv:1712.04086, section 4.1); stacked MNIST from Metz et al. 2017
(arXiv:1611.02163, section 3.3.1).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
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
