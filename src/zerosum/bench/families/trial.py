"""One training of the bench and its scores, as a process of its own.

    python -m zerosum.bench.families.trial SYSTEM SET SEED SECONDS FOLDER

The budget is processor time: on a busy machine a training takes longer, but is about as long in
images (caches and cores that are shared still cost tens of per cent). The system's pace is
measured first, at four points of its run, and the run is as long as the budget allows; schedules
that depend on the length then end where they should.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from zerosum.bench.families.protocol import SEED, protocol
from zerosum.core.draw import draw
from zerosum.core.engine import play_step
from zerosum.core.game import Progress
from zerosum.core.optim import build_optimizers
from zerosum.core.recipe import Recipe
from zerosum.core.registry import recipe as find_recipe
from zerosum.core.registry import system as find_system
from zerosum.core.runtime import Runtime
from zerosum.data.feed import feed
from zerosum.files import write_text
from zerosum.metrics import radial_spectrum
from zerosum.training import checkpoint
from zerosum.training.machine import processor
from zerosum.training.prepare import prepare
from zerosum.training.run import RunFolder
from zerosum.training.state import seed_everything
from zerosum.training.trainer import Trainer

POINTS = (0.05, 0.35, 0.65, 0.95)
"""Shares of a run at which its pace is measured: growing systems slow down on the way."""
PLAN, RESULT = "plan.json", "result.json"


def pace(recipe: Recipe, seconds: float = 1.5) -> float:
    """Seconds of processor time that a training takes per image.

    Args:
        recipe: What would be trained.
        seconds: Processor time spent at each of the points, at least three steps each.
    """
    runtime = Runtime(torch.device("cpu"))
    split, recipe = prepare(recipe, runtime)
    seed_everything(0)
    game = find_system(recipe.system).game(recipe.model)
    optimizers = build_optimizers(recipe.optim, game.players())
    batch, total = recipe.train.batch, recipe.train.examples
    batches = feed(split.train, batch=batch, seed=0)
    paces = []
    for share in POINTS:
        seen = int(share * total) // batch * batch
        game.progress = Progress(seen // batch, seen, total)
        for _ in range(2):  # the first steps fill caches and optimizer states
            play_step(game, batches, optimizers, runtime)
            game.progress = game.progress.after(batch)
        begun = time.process_time()
        for step in itertools.count(1):
            play_step(game, batches, optimizers, runtime)
            game.progress = game.progress.after(batch)
            spent = time.process_time() - begun
            if step >= 3 and spent >= seconds:
                paces.append(spent / (step * batch))
                break
    return sum(paces) / len(paces)


def budgeted(recipe: Recipe, seconds: float, seed: int) -> Recipe:
    """The recipe, as long as a budget of processor time allows and without records on the way.

    A budget of 0 leaves the preset's own length.
    """
    batch, images = recipe.train.batch, recipe.train.examples
    if seconds:
        glance = min(1.5, seconds / 40)
        images = max(1, round(seconds / pace(recipe, glance) / batch)) * batch
    quarter = max(batch, images // 4)
    changes = {"examples": images, "seed": seed, "checkpoint_every": quarter, "keep": 1}
    changes |= {"sheet_every": images, "log_every": max(batch, images // 40)}
    return recipe.model_copy(
        update={
            "train": recipe.train.model_copy(update=changes),
            "evaluate": recipe.evaluate.model_copy(update={"every": 0, "samples": 0}),
            "doctor": recipe.doctor.model_copy(update={"policy": "off"}),
        }
    )


def trial(system: str, name: str, seed: int, seconds: float, folder: Path) -> None:
    """Train, or go on training, one system with one seed, and write its scores.

    Args:
        system: Key of the system.
        name: Name of the set, as in `PROTOCOLS`.
        seed: Seed of the training.
        seconds: Budget of processor time.
        folder: Where the run and `result.json` go.
    """
    judge = protocol(name)
    run, recipe = folder / "run", find_recipe(f"{system}/{judge.preset}")
    plan = folder / PLAN
    if plan.is_file():
        recipe = Recipe.from_json(
            plan.read_text(encoding="utf-8"), find_system(system).game.Config
        )
    else:
        folder.mkdir(parents=True, exist_ok=True)
        recipe = budgeted(recipe, seconds, seed)
        write_text(plan, recipe.to_json())
    before, _ = checkpoint.latest(RunFolder(run).checkpoints)
    seen = checkpoint.load(before).state["seen"] if before else 0
    begun = time.process_time()
    game = Trainer(recipe, run, device="cpu", quiet=True).fit()
    spent = time.process_time() - begun
    begun = time.process_time()
    fake = draw(game, len(judge.real), seed=SEED)["image"]
    per_sample = (time.process_time() - begun) / len(fake)
    images = game.progress.seen
    spectrum = radial_spectrum(fake)
    result: Mapping[str, Any] = {
        "system": system,
        "set": name,
        "seed": seed,
        "budget": seconds,
        "scores": judge.row(fake),
        # A run that went on after a stop is charged for the whole at the pace of its last part.
        "seconds": spent * images / (images - seen) if images > seen else None,
        "images": images,
        "milliseconds per sample": 1_000 * per_sample,
        "parameters": sum(p.numel() for p in game.parameters()),
        "torch": torch.__version__,
        "machine": f"{processor()}, one thread",
        "spectrum": {
            "frequency": spectrum.frequency.tolist(),
            "power": spectrum.power.tolist(),
        },
    }
    write_text(folder / RESULT, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    one, which, number, budget, where = sys.argv[1:]
    trial(one, which, int(number), float(budget), Path(where))
