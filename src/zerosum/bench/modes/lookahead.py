"""Steps of Adam that can be differentiated through (Kingma & Ba 2015, algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from zerosum.bench.modes.stack import Parameters


@dataclass(frozen=True)
class Memory:
    """Adam's memory: steps taken, means of gradients and of their squares, and its pace."""

    step: int
    first: Parameters
    second: Parameters
    lr: float
    betas: tuple[float, float]
    epsilon: float

    @classmethod
    def of(cls, adam: torch.optim.Adam, parameters: Parameters) -> Memory:
        """What an optimizer over exactly these weights remembers, unchanged by what follows."""
        group = adam.param_groups[0]
        kept = {name: adam.state.get(weight) for name, weight in parameters.items()}
        zero = {name: torch.zeros_like(weight) for name, weight in parameters.items()}
        steps = [int(state["step"]) for state in kept.values() if state]
        return cls(
            steps[0] if steps else 0,
            {k: state["exp_avg"].clone() if state else zero[k] for k, state in kept.items()},
            {k: state["exp_avg_sq"].clone() if state else zero[k] for k, state in kept.items()},
            group["lr"],
            group["betas"],
            group["eps"],
        )

    def moved(self, parameters: Parameters, slopes: Parameters) -> tuple[Parameters, Memory]:
        """Weights and memory after one step; nothing is changed in place."""
        step, (b1, b2) = self.step + 1, self.betas
        first = {k: torch.lerp(slope, self.first[k], b1) for k, slope in slopes.items()}
        second = {k: torch.lerp(slope.square(), self.second[k], b2) for k, slope in slopes.items()}
        rate, scale = self.lr / (1 - b1**step), 1 - b2**step
        # epsilon stands under the root, whose slope at 0 is infinite otherwise
        after = {
            k: weight - rate * first[k] / (second[k] / scale + self.epsilon**2).sqrt()
            for k, weight in parameters.items()
        }
        memory = Memory(step, first, second, self.lr, self.betas, self.epsilon)
        return after, memory
