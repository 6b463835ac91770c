"""How long a training may be: its length in examples from a budget of time.

On a processor the budget is of its time: on a busy machine a training takes longer, but processor
time buys about as many examples (caches and cores that are shared still cost tens of per cent). On
a GPU it is of the clock.
"""

from __future__ import annotations

import itertools
import time

import torch

from zerosum.core.engine import play_step
from zerosum.core.game import Progress
from zerosum.core.optim import build_optimizers
from zerosum.core.recipe import Recipe
from zerosum.core.registry import build_game, runtime_of
from zerosum.core.runtime import Runtime
from zerosum.data.feed import feed
from zerosum.training.prepare import prepare
from zerosum.training.state import seed_everything

POINTS = (0.05, 0.35, 0.65, 0.95)
"""Shares of a run at which its pace is measured: growing systems slow down on the way."""


def pace(
    recipe: Recipe, seconds: float = 1.5, module: str | None = None, device: str = "cpu"
) -> float:
    """Seconds that a training takes per example: of the processor on one thread, of a GPU's clock.

    Args:
        recipe: What would be trained.
        seconds: Time spent at each of the points, at least three steps each.
        module: Module or file of an outside model.
        device: Where it would be trained, `cpu` or `cuda`.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _pace(recipe, seconds, module, runtime_of(recipe, device, module))
    finally:
        torch.set_num_threads(threads)


def _clock(device: torch.device) -> float:
    """Seconds that count on a device, all work asked for so far done."""
    if device.type != "cuda":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def _pace(recipe: Recipe, seconds: float, module: str | None, runtime: Runtime) -> float:
    split, recipe = prepare(recipe, runtime)
    seed_everything(0)
    game = build_game(recipe, module).to(runtime.device)
    optimizers = build_optimizers(recipe.optim, game.players())
    batch, total = recipe.train.batch, recipe.train.examples
    batches = feed(split.train, batch=batch, seed=0, device=runtime.device)
    paces = []
    for share in POINTS:
        seen = int(share * total) // batch * batch
        game.progress = Progress(seen // batch, seen, total)
        for _ in range(2):  # the first steps fill caches and optimizer states
            play_step(game, batches, optimizers, runtime)
            game.progress = game.progress.after(batch)
        begun = _clock(runtime.device)
        for step in itertools.count(1):
            play_step(game, batches, optimizers, runtime)
            game.progress = game.progress.after(batch)
            spent = _clock(runtime.device) - begun
            if step >= 3 and spent >= seconds:
                paces.append(spent / (step * batch))
                break
    return sum(paces) / len(paces)


def affordable(
    recipe: Recipe, seconds: float, module: str | None = None, device: str = "cpu"
) -> int:
    """Examples of whole batches that a budget of time buys, at least one batch.

    Args:
        recipe: What would be trained.
        seconds: The budget of a training, without its scores.
        module: Module or file of an outside model.
        device: Where it would be trained; on a GPU the clock counts.
    """
    batch = recipe.train.batch
    glance = min(1.5, seconds / 40)
    return max(1, round(seconds / pace(recipe, glance, module, device) / batch)) * batch
