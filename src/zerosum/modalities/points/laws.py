"""Toy sets in one and two dimensions, with their exact laws where those are known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

Points = NDArray[np.float64]


class Mixture:
    """A mixture of Gaussians of one width.

    Args:
        means: Centres (K, D).
        sigma: Standard deviation of every component, in every direction.
        weights: Share of each component (K,), adding up to 1; equal when None.
    """

    def __init__(self, means: Points, sigma: float, weights: Points | None = None) -> None:
        self.means = means
        self.sigma = sigma
        self.weights = np.full(len(means), 1 / len(means)) if weights is None else weights

    def sample(self, rng: Generator, count: int) -> tuple[Points, NDArray[np.int64]]:
        """Points (count, D) and the component (count,) that each came from."""
        labels = rng.choice(len(self.means), size=count, p=self.weights)
        noise = rng.standard_normal((count, self.means.shape[1]))
        return self.means[labels] + self.sigma * noise, labels.astype(np.int64)

    def log_density(self, points: Tensor) -> Tensor:
        """Natural logarithm of the density at points (B, D), giving (B,) of their type."""
        means = torch.as_tensor(self.means, dtype=points.dtype, device=points.device)
        weights = torch.as_tensor(self.weights, dtype=points.dtype, device=points.device)
        # differences, not the cdist shortcut: modes are narrow, so the squares must be exact
        squares = (points[:, None, :] - means).square().sum(-1)
        scale = -0.5 * means.shape[1] * math.log(2 * math.pi * self.sigma**2)
        logs = weights.log() - squares / (2 * self.sigma**2)
        return torch.logsumexp(logs, dim=1) + scale


def ring(modes: int, radius: float, sigma: float) -> Mixture:
    """`modes` Gaussians evenly on a circle, the first on the x axis."""
    angles = 2 * np.pi * np.arange(modes) / modes
    return Mixture(radius * np.stack([np.cos(angles), np.sin(angles)], axis=1), sigma)


def grid(modes: int, radius: float, sigma: float) -> Mixture:
    """Gaussians on a square grid from -radius to radius in both axes; `modes` is a square."""
    axis = np.linspace(-radius, radius, math.isqrt(modes))
    return Mixture(np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2), sigma)


def gaussian(mean: float, std: float) -> Mixture:
    """One Gaussian on the line."""
    return Mixture(np.array([[mean]]), std)


def three() -> Mixture:
    """The fixed mixture on the line: -3, 0, 3 with shares 1/4, 1/2, 1/4 and width 0.5."""
    return Mixture(np.array([[-3.0], [0.0], [3.0]]), 0.5, np.array([0.25, 0.5, 0.25]))


def spiral(rng: Generator, count: int, radius: float, sigma: float) -> Points:
    """Two arms of one and a half turns each, evenly filled along the arm."""
    turn = 3 * np.pi * np.sqrt(rng.uniform(size=count))  # the root evens out the arc length
    side = np.where(rng.uniform(size=count) < 0.5, 1.0, -1.0)
    arm = np.stack([np.cos(turn), np.sin(turn)], axis=1) * (turn * side)[:, None] / (3 * np.pi)
    return radius * arm + sigma * rng.standard_normal((count, 2))


def moons(rng: Generator, count: int, radius: float, sigma: float) -> Points:
    """Two half circles that reach into each other, centred on the origin."""
    angle = np.pi * rng.uniform(size=count)
    lower = rng.uniform(size=count) < 0.5
    x = np.where(lower, 1 - np.cos(angle), np.cos(angle)) - 0.5
    y = np.where(lower, 0.5 - np.sin(angle), np.sin(angle)) - 0.25
    return radius * np.stack([x, y], axis=1) + sigma * rng.standard_normal((count, 2))


def checkerboard(rng: Generator, count: int, radius: float, sigma: float) -> Points:
    """Uniform on the black squares of a 4 by 4 board from -radius to radius."""
    column = rng.integers(0, 4, size=count)
    row = 2 * rng.integers(0, 2, size=count) + column % 2
    corner = np.stack([column, row], axis=1) + rng.uniform(size=(count, 2))
    return radius * (corner / 2 - 1) + sigma * rng.standard_normal((count, 2))


def rings(rng: Generator, count: int, radius: float, sigma: float) -> Points:
    """Four circles around the origin, evenly spaced up to `radius`, equally likely."""
    which = radius * rng.integers(1, 5, size=count) / 4
    angle = 2 * np.pi * rng.uniform(size=count)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1) * which[:, None]
    return circle + sigma * rng.standard_normal((count, 2))


SHAPES: dict[str, Callable[[Generator, int, float, float], Points]] = {
    "spiral": spiral,
    "moons": moons,
    "checkerboard": checkerboard,
    "rings": rings,
}

# (modes, radius, sigma) of the literature; None where a set has no such number.
DEFAULTS: dict[str, tuple[int | None, float | None, float | None]] = {
    "ring": (8, 1.0, 0.01),
    "grid": (25, 4.0, 0.05),
    "spiral": (None, 1.0, 0.02),
    "moons": (None, 1.0, 0.05),
    "checkerboard": (None, 2.0, 0.0),
    "rings": (None, 1.0, 0.02),
    "gaussian": (None, None, None),
    "mixture": (None, None, None),
}
