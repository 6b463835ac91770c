"""Exponential moving average of a generator's weights, with a half-life in examples.

Sampling from averaged weights removes most of the oscillation of the last iterate (Yazıcı et
al. 2019); the half-life in examples and its ramp-up follow Karras et al. 2020.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor

from zerosum.core.game import Game, Progress
from zerosum.core.runtime import running_buffers
from zerosum.core.schedule import Number, at


class EMA:
    """Averaged copies of the parameters of `game.generators()`, and of their running statistics.

    Batch normalisation with averaged weights and the last weights' statistics is off by what the
    weights moved (a quarter of medgan's error in prevalences). Other buffers are the game's own.

    Args:
        game: The game to follow.
        half_life: Examples after which a weight counts half; a number or a schedule.
        ramp: The half-life is at most this share of the examples seen, so that the average
            forgets the start quickly; 0 for none.
    """

    def __init__(self, game: Game, half_life: Number, ramp: float = 0.05) -> None:
        self.half_life, self.ramp = half_life, ramp
        self._live = averaged_tensors(game)
        self.shadow = {name: p.detach().clone() for name, p in self._live.items()}

    @torch.no_grad()
    def update(self, examples: int, progress: Progress) -> None:
        """Move the averages after a step of so many examples, the clock being at its end."""
        half_life = at(self.half_life, progress)
        if self.ramp:
            half_life = min(half_life, progress.seen * self.ramp)
        decay = 0.5 ** (examples / half_life) if half_life > 0 else 0.0
        averages, live = list(self.shadow.values()), [t.detach() for t in self._live.values()]
        torch._foreach_lerp_(averages, live, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within this context the game holds the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def keep(self) -> None:
        """Give the game the averaged weights for good."""
        self._swap()

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take averages from stored ones, by name."""
        for name, shadow in self.shadow.items():
            shadow.copy_(tensors[name])

    def _swap(self) -> None:
        for name, tensor in self._live.items():
            tensor.data, self.shadow[name] = self.shadow[name], tensor.data


def averaged_tensors(game: Game) -> dict[str, Tensor]:
    """The parameters that `sample` runs and their running statistics, by their names in the
    game."""
    wanted: set[int] = set()
    for module in game.generators():
        wanted |= {id(t) for t in (*module.parameters(), *running_buffers(module).values())}
    named = chain(game.named_parameters(), game.named_buffers())
    return {name: tensor for name, tensor in named if id(tensor) in wanted}


def generator_state(game: Game) -> dict[str, Tensor]:
    """Parameters and saved buffers that `sample` runs, by their names in the game."""
    prefixes = tuple(
        f"{name}." for name, module in game.named_modules() if module in game.generators()
    )
    return {
        name: tensor
        for name, tensor in game.state_dict().items()
        if name.startswith(prefixes) and isinstance(tensor, Tensor)
    }
