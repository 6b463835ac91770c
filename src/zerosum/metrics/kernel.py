"""The kernel distance: unbiased squared maximum mean discrepancy (MMD) between feature sets.

Unlike the Fréchet distance it has no bias at any sample size, so two samples of one law score
around 0, below it half of the time. With the cubic polynomial kernel it is the arithmetic of KID
(Bińkowski et al. 2018, "Demystifying MMD GANs"); the estimate is eq. 3 of Gretton et al. 2012,
"A kernel two-sample test".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, at_least, checked_pair, generator
from zerosum.metrics.score import Score, around

BLOCK = 2048
"""Rows and columns of a block of kernel values: 32 MiB in float64."""

Kernel: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""A symmetric positive function of points x (N, d) and y (M, d), giving (N, M) in float64."""


@dataclass(frozen=True, kw_only=True)
class Polynomial:
    """(γ x·y + offset)^degree; γ is 1/d where None."""

    degree: int = 3
    gamma: float | None = None
    offset: float = 1.0

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        gamma = 1 / x.shape[1] if self.gamma is None else self.gamma
        return (gamma * (x @ y.T) + self.offset) ** self.degree


@dataclass(frozen=True, kw_only=True)
class Gaussian:
    """exp(−‖x − y‖² / 2σ²), also called RBF; σ is the bandwidth."""

    bandwidth: float

    def __post_init__(self) -> None:
        if not self.bandwidth > 0:
            raise UserError(f"bandwidth is {self.bandwidth}: set it above 0")

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        squared = x.square().sum(1, keepdim=True) + y.square().sum(1) - 2 * x @ y.T
        return torch.exp(squared.clamp_(min=0) / (-2 * self.bandwidth**2))


def kernel_distance(
    *,
    real: Array,
    fake: Array,
    kernel: Kernel | None = None,
    subsets: int | None = None,
    subset_size: int = 1000,
    interval: bool = True,
    rng: torch.Generator | None = None,
) -> Score:
    """Unbiased squared MMD; may be negative, and must be able to be.

    By default every pair of samples counts. `subsets=100` gives the customary mean over random
    subsets instead: the same expectation, a little more noise, comparable with published values.

    The interval uses the delete-one jackknife over both sets, which the kernel's row sums give
    at no cost. It is honest away from the null and up to √2 too wide at it, where the variance
    is of second order. With subsets, the variance of their mean is added.

    Args:
        real: Features of real samples, shape (N, d), N ≥ 3.
        fake: Features of generated samples, shape (M, d), M ≥ 3.
        kernel: `Polynomial()` where None; or `Gaussian(bandwidth=...)`, or any `Kernel`.
        subsets: Number of subsets to average, or None for all samples at once.
        subset_size: Samples in each subset, drawn without replacement.
        interval: Whether to compute the interval; with subsets it costs the full pass.
        rng: Source of the subsets; None means seed 0.

    Raises:
        UserError: Malformed or mismatched features, or subsets larger than a set.
    """
    real_set, fake_set = checked_pair(real, fake, rows=3)
    chosen = Polynomial() if kernel is None else kernel
    n, m = len(real_set), len(fake_set)
    value, variance = 0.0, 0.0
    if subsets is None or interval:
        whole = _mmd(real_set, fake_set, chosen)
        value, variance = whole.value, whole.variance
    if subsets is not None:
        at_least(subsets, 2, "subsets")
        at_least(subset_size, 3, "subset_size")
        if subset_size > min(n, m):
            raise UserError(
                f"subset_size is {subset_size} but the smaller set has {min(n, m)}: lower it"
            )
        source = generator(rng)
        values = torch.empty(subsets, dtype=torch.float64)
        for index in range(subsets):
            x = _draw(real_set, subset_size, source)
            values[index] = _mmd(x, _draw(fake_set, subset_size, source), chosen).value
        value = float(values.mean())
        variance += float(values.var()) / subsets
    return Score(
        value=value,
        interval=around(value, variance) if interval else None,
        null=0.0,
        n_real=n,
        n_fake=m,
    )


def _draw(features: Tensor, size: int, source: torch.Generator) -> Tensor:
    chosen = torch.randperm(len(features), generator=source)[:size]
    return features[chosen.to(features.device)]


@dataclass(frozen=True)
class _Sums:
    """Row sums of the three kernel matrices, own diagonals left out.

    Attributes:
        xx: Sum of each real's row against the other reals, shape (N,).
        yy: Sum of each fake's row against the other fakes, shape (M,).
        xy: Sum of each real's row against the fakes, shape (N,).
        yx: Sum of each fake's row against the reals, shape (M,).
    """

    xx: Tensor
    yy: Tensor
    xy: Tensor
    yx: Tensor

    @property
    def value(self) -> float:
        n, m = len(self.xx), len(self.yy)
        within = self.xx.sum() / (n * (n - 1)) + self.yy.sum() / (m * (m - 1))
        return float(within - 2 * self.xy.sum() / (n * m))

    @property
    def variance(self) -> float:
        n, m = len(self.xx), len(self.yy)
        return _jackknife(self.xx, self.xy, m) + _jackknife(self.yy, self.yx, n)


def _jackknife(own: Tensor, cross: Tensor, others: int) -> float:
    """Jackknife variance over one set, from the change that leaving each sample out makes."""
    n = len(own)
    total, total_cross = own.sum(), cross.sum()
    within = (total - 2 * own) / ((n - 1) * (n - 2))
    between = (total_cross - cross) / ((n - 1) * others)
    left_out = within - 2 * between
    return (n - 1) * float(left_out.var(correction=0))


def _mmd(real: Tensor, fake: Tensor, kernel: Kernel) -> _Sums:
    xx, _ = _sums(real, real, kernel, own=True)
    yy, _ = _sums(fake, fake, kernel, own=True)
    xy, yx = _sums(real, fake, kernel, own=False)
    return _Sums(xx, yy, xy, yx)


def _sums(x: Tensor, y: Tensor, kernel: Kernel, *, own: bool) -> tuple[Tensor, Tensor]:
    """Row sums and column sums of a kernel matrix, by blocks."""
    rows = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    columns = torch.zeros(len(y), dtype=torch.float64, device=x.device)
    for i in range(0, len(x), BLOCK):
        left = x[i : i + BLOCK].double()
        # A set's matrix with itself is symmetric: its upper half says all.
        for j in range(i if own else 0, len(y), BLOCK):
            values = kernel(left, y[j : j + BLOCK].double())
            if own and i == j:
                values.fill_diagonal_(0)
            rows[i : i + BLOCK] += values.sum(1)
            if own and i != j:
                rows[j : j + BLOCK] += values.sum(0)
            elif not own:
                columns[j : j + BLOCK] += values.sum(0)
    return (rows, rows) if own else (rows, columns)
