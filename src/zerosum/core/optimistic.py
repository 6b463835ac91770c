"""Optimistic Adam: an optimizer that expects the opponent to go on as before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn


class OptimisticAdam(torch.optim.Optimizer):
    """Adam whose next step is guessed and made at once.

    Daskalakis, Ilyas, Syrgkanis and Zeng 2018, "Training GANs with Optimism", arXiv:1711.00141,
    algorithm 1: theta moves by -2 lr d_t + lr d_(t-1), d being Adam's direction. In a bilinear
    game, where gradient descent circles outwards, it converges.

    Args:
        parameters: What moves.
        lr: Learning rate.
        betas: Averaging factors of the gradient and of its square.
        eps: Added to the denominator.
        weight_decay: L2 penalty added to the gradient.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.5, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(list(parameters), defaults)

    @torch.no_grad()
    def step(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, closure: Callable[[], Any] | None = None
    ) -> None:
        """Move once; parameters without a gradient stay."""
        for group in self.param_groups:
            (one, two), lr = group["betas"], group["lr"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                gradient = parameter.grad
                if group["weight_decay"]:
                    gradient = gradient.add(parameter, alpha=group["weight_decay"])
                state = self.state[parameter]
                if not state:
                    state["step"] = torch.zeros(())
                    state["exp_avg"] = torch.zeros_like(parameter)
                    state["exp_avg_sq"] = torch.zeros_like(parameter)
                    state["direction"] = torch.zeros_like(parameter)
                state["step"] += 1
                count = float(state["step"])
                state["exp_avg"].lerp_(gradient, 1 - one)
                state["exp_avg_sq"].mul_(two).addcmul_(gradient, gradient, value=1 - two)
                scale = (state["exp_avg_sq"] / (1 - two**count)).sqrt_().add_(group["eps"])
                direction = state["exp_avg"] / scale / (1 - one**count)
                parameter.sub_(2 * direction - state["direction"], alpha=lr)
                state["direction"] = direction
