"""Optimizers of the players, as typed parts of a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from zerosum.config import Fraction, Part, Weight
from zerosum.core.game import Progress
from zerosum.core.optimistic import OptimisticAdam
from zerosum.core.schedule import Number, at, bounded

Beta = Annotated[Number, bounded(ge=0, lt=1)]


class Optim(Part):
    """How one player moves."""

    kind: Literal["adam", "optimistic-adam", "rmsprop", "sgd"] = "adam"
    """The rule: Adam (Kingma & Ba 2015), its optimistic form, RMSProp or gradient descent."""
    lr: Annotated[Number, bounded(ge=0, le=1e6)] = 2e-4
    """Learning rate: a number, or a schedule over examples."""
    betas: tuple[Beta, Beta] = (0.5, 0.999)
    """Adam's two averaging factors; each may be a schedule."""
    eps: Weight = 1e-8
    """Added to Adam's and RMSProp's denominator."""
    momentum: Fraction = 0.0
    """Momentum of sgd and rmsprop."""
    weight_decay: Weight = 0.0
    """L2 penalty added to the gradient."""
    clip: float | None = Field(default=None, gt=0)
    """Largest gradient norm; None does not clip."""

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of some parameters, at the start of the clock."""
        start = Progress()
        lr, decay = at(self.lr, start), self.weight_decay
        parameters = list(parameters)
        # Betas must be floats: recent torch refuses integers.
        betas = (float(at(self.betas[0], start)), float(at(self.betas[1], start)))
        if self.kind == "optimistic-adam":
            return OptimisticAdam(parameters, lr=lr, betas=betas, eps=self.eps, weight_decay=decay)
        if self.kind == "adam":
            fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
            return torch.optim.Adam(
                parameters, lr=lr, betas=betas, eps=self.eps, weight_decay=decay, fused=fused
            )
        if self.kind == "rmsprop":
            return torch.optim.RMSprop(
                parameters, lr=lr, eps=self.eps, momentum=self.momentum, weight_decay=decay
            )
        return torch.optim.SGD(parameters, lr=lr, momentum=self.momentum, weight_decay=decay)

    def lazy(self, every: int) -> Optim:
        """The same for a player whose penalty is a turn of its own in each `every`-th step.

        Karras et al. 2020, arXiv:1912.04958, appendix B: with c = every / (every + 1), the rate
        times c and both of Adam's factors to the power of c, so that the every + 1 moves of so
        many steps go as far as `every` would. For constant numbers.
        """
        c, start = every / (every + 1), Progress()
        betas = (at(self.betas[0], start) ** c, at(self.betas[1], start) ** c)
        return self.model_copy(update={"lr": at(self.lr, start) * c, "betas": betas})

    def advance(
        self, optimizer: torch.optim.Optimizer, progress: Progress, factor: float = 1.0
    ) -> None:
        """Set the optimizer's scheduled numbers for a point of the clock, the rate x factor."""
        for group in optimizer.param_groups:
            group["lr"] = factor * at(self.lr, progress)
            if self.kind in ("adam", "optimistic-adam"):
                group["betas"] = (
                    float(at(self.betas[0], progress)),
                    float(at(self.betas[1], progress)),
                )


def build_optimizers(
    rules: Mapping[str, Optim], players: Mapping[str, Iterable[nn.Module]]
) -> dict[str, torch.optim.Optimizer]:
    """One optimizer per player, over all parameters of its modules."""
    return {
        name: rules[name].build(p for module in modules for p in module.parameters())
        for name, modules in players.items()
    }
