"""The Fréchet distance between two sets of features, from means and covariances.

It is the squared 2-Wasserstein distance of the two Gaussians with those moments,

    ‖μ₁ − μ₂‖² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁^½ Σ₂ Σ₁^½)^½

(Dowson & Landau 1982; as a score of generators: Heusel et al. 2017, "GANs trained by a two
time-scale update rule", eq. 6). The symmetric form needs the eigenvalues of symmetric matrices
only, so there is no matrix square root that could leave the real numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, at_least, checked, checked_pair, matched
from zerosum.metrics.score import Score, around_logarithm

BLOCK = 8192
"""Samples turned to float64 at a time."""
PANEL = 256
"""Columns of a panel, where only one half of a matrix product is needed."""


@dataclass
class Statistics:
    """Count, mean and scatter of a set of features, gathered in one pass.

    Attributes:
        n: Number of samples seen.
        mean: Their mean, shape (d,), float64.
        scatter: Sum of the outer products of the deviations from the mean, shape (d, d), float64.
    """

    n: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def empty(cls, dim: int, device: torch.device | str = "cpu") -> Self:
        """Statistics of no samples, ready for `update`."""
        mean = torch.zeros(dim, dtype=torch.float64, device=device)
        return cls(0, mean, mean.new_zeros(dim, dim))

    @classmethod
    def of(cls, features: Array) -> Self:
        """Statistics of one set, shape (N, d)."""
        values = checked(features, "features", rows=1)
        return cls.empty(values.shape[1], values.device).update(values)

    @property
    def cov(self) -> Tensor:
        """Covariance with divisor n − 1, shape (d, d).

        Raises:
            UserError: Fewer than two samples were seen.
        """
        if self.n < 2:
            raise UserError(f"a covariance of {self.n} samples: update with at least 2")
        return self.scatter / (self.n - 1)

    def update(self, features: Array) -> Self:
        """Take in more samples, shape (N, d); gives itself back.

        Raises:
            UserError: The features are malformed or of another dimension.
        """
        values = checked(features, "features", rows=1)
        if values.shape[1] != len(self.mean):
            raise UserError(
                f"features have dimension {values.shape[1]} and the statistics"
                f" {len(self.mean)}: use the same extractor throughout"
            )
        for block in values.split(BLOCK):
            wide = block.to(self.mean)
            centre = wide.mean(0)
            wide = wide - centre
            self._absorb(len(wide), centre, _gram(wide))
        return self

    def merge(self, other: Statistics) -> Statistics:
        """Statistics of both sets together, such as those of two processes.

        Raises:
            UserError: The dimensions differ.
        """
        matched(self.mean[None], other.mean[None], "the other set")
        both = Statistics(self.n, self.mean.clone(), self.scatter.clone())
        both._absorb(other.n, other.mean, other.scatter)
        return both

    def _absorb(self, n: int, mean: Tensor, scatter: Tensor) -> None:
        # Pairwise update (Chan, Golub & LeVeque 1983): no difference of large sums of squares.
        total = self.n + n
        if total == 0:
            return
        gap = mean - self.mean
        self.scatter = self.scatter + scatter + torch.outer(gap, gap) * (self.n * n / total)
        self.mean = self.mean + gap * (n / total)
        self.n = total

    def save(self, path: str | Path) -> None:
        """Write `n`, `mu` and `sigma` to an `.npz` file; other FID tools read `mu` and `sigma`."""
        mu, sigma = self.mean.cpu().numpy(), self.cov.cpu().numpy()
        with Path(path).open("wb") as file:
            np.savez(file, n=np.int64(self.n), mu=mu, sigma=sigma)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: No such file, or it lacks one of `n`, `mu`, `sigma`.
        """
        if not Path(path).is_file():
            raise UserError(f"no statistics at {path}: write them with Statistics.save")
        with np.load(path) as file:
            missing = {"n", "mu", "sigma"} - set(file.files)
            if missing:
                raise UserError(
                    f"{path} lacks {', '.join(sorted(missing))}: write it with Statistics.save"
                )
            n = int(file["n"])
            mean, cov = (torch.from_numpy(file[key]).double() for key in ("mu", "sigma"))
        return cls(n, mean, cov * (n - 1))


def frechet_distance(*, real: Array, fake: Array, interval: bool = True) -> Score:
    """Fréchet distance of two feature sets.

    The interval comes from the infinitesimal jackknife: the exact derivative of the distance
    with respect to the weight of every sample of both sets gives the standard error, which grows
    with the distance, so that the interval is even on the logarithm's scale. It holds for the
    estimator's expectation at these sample sizes, the null bias included. A percentile
    bootstrap would not do: resampling repeats samples and so adds the bias a second time.

    Args:
        real: Features of real samples, shape (N, d), N ≥ 2.
        fake: Features of generated samples, shape (M, d), M ≥ 2.
        interval: Whether to pay for the interval, about as much again as the distance.

    Returns:
        The score; `null` is the expected value for fakes of the real law at these sizes, None
        where the reals are no more than the dimensions.

    Raises:
        UserError: The features are malformed or do not match.
    """
    real_set, fake_set = checked_pair(real, fake)
    found = Coupling(Statistics.of(real_set), Statistics.of(fake_set), vectors=interval)
    if not interval:
        return found.score(None)
    pulls = found.influence(real_set, fake_set)
    variance = sum(float(pull.square().mean()) / (len(pull) - 1) for pull in pulls)
    return found.score(around_logarithm(found.value, variance))


def frechet_from_statistics(real: Statistics, fake: Statistics) -> Score:
    """Fréchet distance from stored statistics; an interval would need the samples.

    Raises:
        UserError: The dimensions differ or a set has fewer than two samples.
    """
    matched(real.mean[None], fake.mean[None], "fake")
    return Coupling(real, fake, vectors=False).score(None)


def frechet_null_bias(cov: Tensor, *, n_real: int, n_fake: int) -> float:
    """Expected Fréchet distance of two finite samples of one Gaussian law.

    To leading order in 1/n, with λ the eigenvalues of the covariance,

        (1/N + 1/M) · (5/4 Σᵢ λᵢ + ½ Σᵢⱼ λᵢλⱼ / (λᵢ + λⱼ)),

    which for the unit covariance is (1/N + 1/M)(d + d(d + 1)/4). The first term is the means'
    share; the rest is the second-order expansion of the covariance part under the Wishart law.

    Args:
        cov: Covariance of the features, shape (d, d).
        n_real: Number of real samples, N.
        n_fake: Number of fake samples, M.

    Raises:
        UserError: The covariance is not a square matrix, or a set has no samples.
    """
    matrix = checked(cov, "cov", rows=1)
    if matrix.shape[0] != matrix.shape[1]:
        raise UserError(f"cov has shape {tuple(matrix.shape)}: give a square matrix")
    at_least(n_real, 1, "n_real")
    at_least(n_fake, 1, "n_fake")
    return _null_bias(torch.linalg.eigvalsh(matrix.double()), n_real, n_fake)


def _null_bias(spectrum: Tensor, n_real: int, n_fake: int) -> float:
    lam = spectrum.clamp(min=0)
    pair = lam[:, None] * lam / (lam[:, None] + lam).clamp(min=torch.finfo(lam.dtype).tiny)
    return (1 / n_real + 1 / n_fake) * float(1.25 * lam.sum() + 0.5 * pair.sum())


class Coupling:
    """The optimal coupling of the two Gaussians: the distance and its derivatives.

    With A Aᵀ = Σ_real, A of full column rank r, and AᵀΣ_fake A = W S² Wᵀ, the cross term is tr S,
    and its derivatives are half the transport maps between the two Gaussians, here kept as
    factors: ∂ tr S/∂Σ_real = ½ P Pᵀ on the range of Σ_real, ∂ tr S/∂Σ_fake = ½ Q Qᵀ.
    """

    def __init__(self, real: Statistics, fake: Statistics, *, vectors: bool) -> None:
        self.real, self.fake = real, fake
        self.shift = real.mean - fake.mean
        cov_real, cov_fake = real.cov, fake.cov
        self.spectrum, basis = torch.linalg.eigh(cov_real)
        # Directions below round-off carry no variance: keep the range of the covariance only.
        tiny = len(basis) * torch.finfo(torch.float64).eps
        kept = self.spectrum > tiny * self.spectrum[-1].clamp(min=0)
        lam = self.spectrum[kept]
        factor = basis[:, kept] * lam.sqrt()
        product = factor.T @ cov_fake @ factor
        # The product's rank is at most M − 1; square roots of its round-off would add up.
        rank = min(len(lam), fake.n - 1)
        if vectors:
            squares, turn = torch.linalg.eigh(product)
            turn = turn[:, len(lam) - rank :]
        else:
            squares, turn = torch.linalg.eigvalsh(product), None
        roots = squares[len(lam) - rank :].clamp(min=0).sqrt()
        self.value = float(
            self.shift.square().sum() + cov_real.trace() + cov_fake.trace() - 2 * roots.sum()
        )
        if turn is not None:
            used = roots > tiny**0.5 * roots.max() if rank else roots > 0
            roots, turn = roots[used], turn[:, used]
            self._from_real = (factor / lam) @ turn * roots.sqrt()
            self._from_fake = factor @ turn / roots.sqrt()

    def score(self, interval: tuple[float, float] | None) -> Score:
        n, m = self.real.n, self.fake.n
        # With fewer samples than dimensions the real spectrum is too short to tell the bias.
        null = _null_bias(self.spectrum, n, m) if n > len(self.spectrum) else None
        return Score(value=self.value, interval=interval, null=null, n_real=n, n_fake=m, floor=0.0)

    def influence(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Derivative of the distance by each sample's weight, centred, shapes (N,) and (M,)."""
        pull_real = _pulls(real, self.real.mean, self.shift, self._from_real)
        pull_fake = _pulls(fake, self.fake.mean, -self.shift, self._from_fake)
        return pull_real, pull_fake


def _gram(x: Tensor) -> Tensor:
    """xᵀ x, shape (d, d), at little more than half the cost of a plain product."""
    gram = x.new_empty(x.shape[1], x.shape[1])
    for start in range(0, x.shape[1], PANEL):
        part = x[:, start:].T @ x[:, start : start + PANEL]
        gram[start:, start : start + PANEL] = part
        gram[start : start + PANEL, start:] = part.T
    return gram


def _pulls(features: Tensor, mean: Tensor, shift: Tensor, factor: Tensor) -> Tensor:
    # With a triangle T for which TᵀT = F Fᵀ, half of the product x F need not be taken.
    triangle = torch.linalg.qr(factor.T, mode="r").R
    parts = []
    for block in features.split(BLOCK):
        x = block.to(mean) - mean
        bent = x.new_zeros(len(x))
        for start in range(0, len(triangle), PANEL):
            rows = triangle[start : start + PANEL, start:]
            bent += (x[:, start:] @ rows.T).square().sum(1)
        parts.append(x.square().sum(1) - bent + 2 * x @ shift)
    pulls = torch.cat(parts)
    return pulls - pulls.mean()
