"""Moves of an optimizer as differentiable functions: what a look ahead is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

from zerosum.errors import UserError

Weights = Mapping[str, Tensor]
"""Parameters, or their gradients, by name."""


class Rule(Protocol):
    """How weights move along their gradients."""

    def moved(self, weights: Weights, slopes: Weights) -> tuple[dict[str, Tensor], Rule]:
        """Weights after one move and the rule of the next; nothing is changed in place."""
        ...


@dataclass(frozen=True)
class Descent:
    """Gradient descent at a learning rate."""

    lr: float

    def moved(self, weights: Weights, slopes: Weights) -> tuple[dict[str, Tensor], Descent]:
        return {k: weight - self.lr * slopes[k] for k, weight in weights.items()}, self


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1) from where an optimizer stands.

    The first move from moments of zero is lr * sign(gradient), which is flat: a look ahead that
    is to be differentiated must begin at live moments, see `of`.

    Attributes:
        step: Moves made so far.
        first: Running means of the gradients.
        second: Running means of their squares.
        lr: Learning rate.
        betas: Averaging factors.
        eps: Smallest denominator, here sqrt(v + eps^2), which unlike sqrt(v) + eps has a
            derivative where v is zero.
    """

    step: int
    first: Weights
    second: Weights
    lr: float
    betas: tuple[float, float]
    eps: float

    @classmethod
    def of(cls, optimizer: torch.optim.Optimizer, weights: Weights) -> Self:
        """Where an optimizer over these weights stands; it is not changed by what follows.

        Raises:
            UserError: It is no Adam.
        """
        group = optimizer.param_groups[0]
        if not isinstance(optimizer, torch.optim.Adam):
            name = type(optimizer).__name__
            raise UserError(f"to look ahead by Adam the critic must move by it, not by {name}")
        kept = {name: optimizer.state.get(weight, {}) for name, weight in weights.items()}
        steps = [int(state["step"]) for state in kept.values() if state]

        def moments(of: str) -> dict[str, Tensor]:
            return {
                name: state[of].clone() if state else torch.zeros_like(weights[name])
                for name, state in kept.items()
            }

        betas = (float(group["betas"][0]), float(group["betas"][1]))
        first, second = moments("exp_avg"), moments("exp_avg_sq")
        return cls(max(steps, default=0), first, second, group["lr"], betas, group["eps"])

    def moved(self, weights: Weights, slopes: Weights) -> tuple[dict[str, Tensor], Self]:
        step, (b1, b2) = self.step + 1, self.betas
        first = {k: torch.lerp(slope, self.first[k], b1) for k, slope in slopes.items()}
        second = {k: torch.lerp(slope.square(), self.second[k], b2) for k, slope in slopes.items()}
        rate, scale = self.lr / (1 - b1**step), 1 - b2**step
        after = {
            k: weight - rate * first[k] / (second[k] / scale + self.eps**2).sqrt()
            for k, weight in weights.items()
        }
        return after, replace(self, step=step, first=first, second=second)
