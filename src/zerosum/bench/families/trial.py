"""One training of the bench and its scores, as a process of its own.

    python -m zerosum.bench.families.trial SYSTEM SET SEED SECONDS FOLDER [SEARCH]

The budget is processor time (`zerosum.training.budget`). The system's pace is measured first, and
the run is as long as the budget allows; schedules that depend on the length then end where they
should.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from zerosum.bench.families.protocol import NATS, SEED, Protocol, protocol
from zerosum.core.draw import draw
from zerosum.core.recipe import Recipe
from zerosum.core.registry import recipe as find_recipe
from zerosum.core.registry import system as find_system
from zerosum.files import write_text
from zerosum.metrics import radial_spectrum
from zerosum.pipelines.tune.records import SearchFolder
from zerosum.training import checkpoint
from zerosum.training.budget import affordable
from zerosum.training.machine import processor
from zerosum.training.run import RunFolder
from zerosum.training.trainer import Trainer

PLAN, RESULT = "plan.json", "result.json"
LOOKS = 12
"""Times that a run which may stop early is scored."""


def budgeted(recipe: Recipe, seconds: float, seed: int) -> Recipe:
    """The recipe, as long as a budget of processor time allows and without records on the way.

    A budget of 0 leaves the preset's own length.
    """
    batch, images = recipe.train.batch, recipe.train.examples
    if seconds:
        images = affordable(recipe, seconds)
    quarter = max(batch, images // 4)
    changes = {"examples": images, "seed": seed, "checkpoint_every": quarter, "keep": 1}
    # Only what stops for want of better scores takes them.
    scored = {"every": 0, "samples": 0}
    if recipe.evaluate.patience:
        scored = {"every": max(batch, images // LOOKS)}
    changes |= {"sheet_every": images, "log_every": max(batch, images // 40)}
    return recipe.model_copy(
        update={
            "train": recipe.train.model_copy(update=changes),
            "evaluate": recipe.evaluate.model_copy(update=scored),
            "doctor": recipe.doctor.model_copy(update={"policy": "off"}),
        }
    )


def recipe_of(system: str, judge: Protocol, search: SearchFolder | None = None) -> Recipe:
    """What is trained: the preset, or the best recipe that a search found around it."""
    preset = find_recipe(f"{system}/{judge.preset}")
    if search is None:
        return preset
    best = search.best_recipe()  # as long as its trial: the preset's length is a better guess
    length = {"examples": preset.train.examples}
    return best.model_copy(update={"train": best.train.model_copy(update=length)})


def trial(
    system: str, name: str, seed: int, seconds: float, folder: Path, search: Path | None = None
) -> None:
    """Train, or go on training, one system with one seed, and write its scores.

    Args:
        system: Key of the system.
        name: Name of the set, as in `PROTOCOLS`.
        seed: Seed of the training.
        seconds: Budget of processor time.
        folder: Where the run and `result.json` go.
        search: Folder of the search whose best recipe is trained; None for the preset.
    """
    judge, tuned = protocol(name), SearchFolder(search) if search else None
    run, recipe = folder / "run", recipe_of(system, judge, tuned)
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
        "tuning": _tuning(tuned) if tuned else None,
        "scores": {**judge.row(fake), NATS: judge.nats(game)},
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


def _tuning(search: SearchFolder) -> dict[str, Any]:
    """What a search was, and what it cost in seconds of processor time."""
    terms, (trials, cost) = search.terms(), search.finished()
    assert terms is not None
    return {"trials": trials, "budget": terms.seconds, "seed": terms.seed, "seconds": cost}


if __name__ == "__main__":
    one, which, number, budget, where, *found = sys.argv[1:]
    trial(one, which, int(number), float(budget), Path(where), *map(Path, found))
