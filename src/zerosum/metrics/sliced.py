"""Wasserstein distances of one-dimensional projections, averaged over random directions.

In one dimension the optimal coupling pairs the sorted samples, so the distance is exact and
costs a sort (Rabin et al. 2011, "Wasserstein barycenter and its application to texture mixing").
Sets of different sizes are paired by their quantile functions, which are step functions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zerosum.metrics.inputs import Array, at_least, checked_pair, generator
from zerosum.metrics.score import Score, around

TOGETHER = 64
"""Directions projected at a time."""


def sliced_wasserstein(
    *,
    real: Array,
    fake: Array,
    directions: int = 1000,
    rng: torch.Generator | None = None,
) -> Score:
    """Root of the mean squared 2-Wasserstein distance over directions, in the features' units.

    Args:
        real: Features of real samples, shape (N, d).
        fake: Features of generated samples, shape (M, d).
        directions: Number of unit directions, uniform on the sphere.
        rng: Source of the directions; None means seed 0.

    Raises:
        UserError: Malformed or mismatched features, or fewer than two directions.
    """
    squared = _sliced(real, fake, directions, rng, scale=1.0)
    assert squared.interval is not None
    low, high = (math.sqrt(max(end, 0.0)) for end in squared.interval)
    return Score(
        value=math.sqrt(squared.value),
        interval=(low, high),
        n_real=squared.n_real,
        n_fake=squared.n_fake,
        floor=0.0,
    )


def mind(
    *,
    real: Array,
    fake: Array,
    directions: int = 1000,
    rng: torch.Generator | None = None,
) -> Score:
    """MIND: 3 d times the mean squared 2-Wasserstein distance over random directions.

    The definition is that of the metric of this name in torch-fidelity (2026). The factor d
    makes a shift of the mean by Δ score 3 ‖Δ‖², and an isotropic change of scale three times its
    Fréchet distance. It sees every shape of the projections, where the Fréchet distance sees two
    moments. With P directions a pure shift carries the relative noise √(2 / P).

    The interval joins the noise of the directions with the infinitesimal jackknife over both
    sets: a sample's influence is the coupling's potential at its place, averaged over directions.

    Args:
        real: Features of real samples, shape (N, d).
        fake: Features of generated samples, shape (M, d).
        directions: Number of unit directions, uniform on the sphere.
        rng: Source of the directions; None means seed 0.

    Raises:
        UserError: Malformed or mismatched features, or fewer than two directions.
    """
    dim = checked_pair(real, fake)[0].shape[1]
    return _sliced(real, fake, directions, rng, scale=3.0 * dim)


def _sliced(
    real: Array, fake: Array, directions: int, rng: torch.Generator | None, scale: float
) -> Score:
    at_least(directions, 2, "directions")
    x, y = checked_pair(real, fake)
    units = torch.randn(directions, x.shape[1], generator=generator(rng), dtype=torch.float64)
    units = (units / units.norm(dim=1, keepdim=True)).to(x.device)
    plan = _Pairing(len(x), len(y), x.device)
    costs = []
    pull_x = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    pull_y = torch.zeros(len(y), dtype=torch.float64, device=x.device)
    for some in units.split(TOGETHER):
        sorted_x, place_x = _project(x, some).sort(0)
        sorted_y, place_y = _project(y, some).sort(0)
        costs.append(plan.cost(sorted_x, sorted_y))
        for sums, ends, others, place in (
            (pull_x, sorted_x, plan.partners(sorted_y, plan.i, len(x), plan.j), place_x),
            (pull_y, sorted_y, plan.partners(sorted_x, plan.j, len(y), plan.i), place_y),
        ):
            potential = _potential(ends, others)
            sums += torch.zeros_like(potential).scatter_(0, place, potential).sum(1)
    cost = torch.cat(costs) * scale
    value = float(cost.mean())
    variance = float(cost.var()) / directions
    for pull in (pull_x, pull_y):
        influence = pull * (scale / directions)
        variance += float(influence.var()) / len(influence)
    return Score(
        value=value,
        interval=around(value, variance),
        n_real=len(x),
        n_fake=len(y),
        floor=0.0,
    )


def _project(features: Tensor, units: Tensor) -> Tensor:
    return torch.cat([block.double() @ units.T for block in features.split(8192)])


class _Pairing:
    """Which sorted samples of two sets share quantiles, and how much of the mass: i, j, mass."""

    def __init__(self, n: int, m: int, device: torch.device) -> None:
        # In units of 1 / (n m) the steps of both quantile functions fall on whole numbers.
        steps = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()
        begins = torch.cat([steps.new_zeros(1), steps[:-1]])
        self.i = (begins // m).to(device)
        self.j = (begins // n).to(device)
        self.mass = ((steps - begins).double() / (n * m)).to(device)

    def cost(self, x: Tensor, y: Tensor) -> Tensor:
        """Squared 2-Wasserstein distance of each column of sorted x (N, P) and y (M, P)."""
        return self.mass @ (x[self.i] - y[self.j]).square()

    def partners(self, others: Tensor, mine: Tensor, count: int, theirs: Tensor) -> Tensor:
        """Mean partner of each sorted sample, shape (count, P)."""
        sums = others.new_zeros(count, others.shape[1])
        return sums.index_add_(0, mine, others[theirs] * self.mass[:, None]) * count


def _potential(ends: Tensor, partners: Tensor) -> Tensor:
    """Centred potential of the coupling at the sorted samples: the integral of 2 (x − T(x))."""
    slope = 2 * (ends - partners)
    steps = (slope[1:] + slope[:-1]) / 2 * ends.diff(dim=0)
    potential = torch.cat([torch.zeros_like(ends[:1]), steps.cumsum(0)])
    return potential - potential.mean(0)
