"""Systems of three kinds of data for two processes: imported by the test, run by torchrun.

As a script it trains each system on this rank's share of the batches, and writes the weights to
the file named on the command line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from unittest import mock

import torch
from torch import nn

from zerosum.core.engine import play_step
from zerosum.core.game import Progress
from zerosum.core.registry import recipe, system
from zerosum.core.runtime import Runtime
from zerosum.training.prepare import prepare
from zerosum.training.state import seed_everything

STEPS = 3
CASES = {
    "ctgan": {"model.dropout": 0.0},  # whose masks are drawn inside torch
    "pix2pix": {},
    "cyclegan": {"model.pool": 1_000},  # each rank's pool is its own once it is full
    # The first step is of the first phase. A rank's means of logits are those of its own share.
    "esrgan": {"model.warm_up": 16, "model.objective": "nonsaturating"},
    # Codes are mixed, and samples compared, within a rank; so is the mean of the path lengths.
    "stylegan": {"model.mixing": 0.0, "model.group": 1},
    "stylegan2": {"model.mixing": 0.0, "model.group": 1, "model.path": 0.0},
    "stylegan3": {"model.group": 1},
    "r3gan": {},
    "projected_gan": {},
    "molgan": {
        "model.imitation": 1.0
    },  # below 1, a ratio of means over the batch weighs the reward
}
DOUBLE = ("cyclegan", "stylegan")
"""Played in float64: statistics of nearly even maps enlarge the rounding of float32."""


@contextmanager
def drawn_together(runtime: Runtime, batch: int) -> Iterator[None]:
    """Within it, each rank's random numbers are its rows of those that one process would draw."""
    rng = torch.Generator().manual_seed(11)
    share = batch // runtime.world

    def together(draw):
        def drawn(*shape, generator=None, device=None, **_):
            sides = (
                list(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else [*shape]
            )
            # Rows are samples, or packs of them: the first side that divides the share.
            axis = next(i for i, side in enumerate(sides) if side > 2 and share % side == 0)
            rows = sides[axis]
            sides[axis] = rows * runtime.world
            return draw(*sides, generator=rng).narrow(axis, runtime.rank * rows, rows)

        return drawn

    with (
        mock.patch("torch.rand", together(torch.rand)),
        mock.patch("torch.randn", together(torch.randn)),
    ):
        yield


def play(name: str, runtime: Runtime, steps: int = STEPS) -> dict[str, torch.Tensor]:
    """Weights of a tiny preset after some steps of gradient descent on this rank's share."""
    torch.set_default_dtype(torch.float64 if name in DOUBLE else torch.float32)
    try:
        return _play(name, runtime, steps, torch.get_default_dtype())
    finally:
        torch.set_default_dtype(torch.float32)


def _play(name: str, runtime: Runtime, steps: int, kind: torch.dtype) -> dict[str, torch.Tensor]:
    chosen = recipe(f"{name}/tiny").override(CASES[name])
    split, chosen = prepare(chosen, Runtime(torch.device("cpu")))
    seed_everything(0)
    game = system(name).game(chosen.model).to(kind)
    for module in game.modules():  # batch norm sees its rank's rows alone, here as everywhere
        for child, layer in module.named_children():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                setattr(module, child, nn.Identity())
    players = game.players()
    rules = {
        player: torch.optim.SGD((p for m in modules for p in m.parameters()), lr=0.02)
        for player, modules in players.items()
    }
    batch = chosen.train.batch
    share = batch // runtime.world
    here = range(runtime.rank * share, (runtime.rank + 1) * share)
    rows = ([(k * batch + i) % len(split.train) for i in here] for k in count())
    feed = (
        {k: v.to(kind) if v.is_floating_point() else v for k, v in batch.items()}
        for batch in (split.train.finished(some) for some in rows)
    )
    with drawn_together(runtime, batch):
        for step in range(steps):
            game.progress = Progress(step, step * batch, STEPS * batch)
            play_step(game, feed, rules, runtime)
    return {name: p.detach() for name, p in game.named_parameters()}


def main(out: str) -> None:
    torch.set_num_threads(1)
    runtime = Runtime.start("cpu")
    everyone = runtime.gather({name: play(name, runtime) for name in CASES})
    if runtime.first:
        torch.save(everyone, out)
    runtime.close()


if __name__ == "__main__":
    main(sys.argv[1])
