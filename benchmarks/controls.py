"""Presets of the digits with settings changed, at the budget of the families' table or another.

    python benchmarks/controls.py unrolled "unrolled model.steps=0" --page docs/models/unrolled.md

Each row is a system, followed by the settings that are changed. All are trained and scored as
`zerosum bench families` does it. What stands in --out is not made again; the table is written
between the marks `<!-- controls -->` of --page.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from zerosum.bench.families.protocol import SEED, protocol
from zerosum.bench.families.run import refuse_changed
from zerosum.bench.families.trial import PLAN, RESULT, budgeted
from zerosum.bench.pages import between_marks, demand, mean_and_spread
from zerosum.core.draw import draw
from zerosum.core.overrides import parse
from zerosum.core.recipe import Recipe
from zerosum.core.registry import recipe as find_recipe
from zerosum.files import write_text
from zerosum.training.machine import processor
from zerosum.training.trainer import Trainer

JUDGE = protocol("digits")
SCORES = ("FD pixels", "FD cnn-digits", "precision", "recall")


def result(row: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Scores of one training, which is made where it was not."""
    name, *settings = row.split()
    folder = given.out / f"{given.seconds:g}s" / row.replace(" ", "_") / str(seed)
    recipe = find_recipe(f"{name}/{JUDGE.preset}").override(dict(map(parse, settings)))
    if (folder / PLAN).is_file():
        refuse_changed(folder, recipe, "row")
        if (folder / RESULT).is_file():
            return json.loads((folder / RESULT).read_text(encoding="utf-8"))
        plan = (folder / PLAN).read_text(encoding="utf-8")
        recipe = Recipe.from_json(plan, type(recipe.model))
    else:
        folder.mkdir(parents=True, exist_ok=True)
        recipe = budgeted(recipe, given.seconds, seed)
        write_text(folder / PLAN, recipe.to_json())
    begun = time.process_time()
    game = Trainer(recipe, folder / "run", device="cpu", quiet=True).fit()
    found = {
        "seconds": time.process_time() - begun,
        "images": game.progress.seen,
        "scores": JUDGE.row(draw(game, len(JUDGE.real), seed=SEED)["image"]),
    }
    write_text(folder / RESULT, json.dumps(found, indent=1) + "\n")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rows", nargs="+", help="a system, or one with settings, in quotes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seconds", type=float, default=JUDGE.seconds)
    parser.add_argument("--out", type=Path, default=Path("runs/controls"))
    parser.add_argument("--page", type=Path, help="page to write into, between its marks")
    given = parser.parse_args()
    if given.page is not None:
        demand(given.page, "controls")  # before the work
    torch.set_num_threads(1)
    lines = [
        f"| system | {' | '.join(SCORES)} | images | train s |",
        "|---" * (len(SCORES) + 3) + "|",
    ]
    for row in given.rows:
        found = [result(row, seed, given) for seed in given.seeds]
        cells = [mean_and_spread([one["scores"][score] for one in found]) for score in SCORES]
        cells.append(f"{statistics.mean(one['images'] for one in found):,.0f}")
        cells.append(f"{statistics.mean(one['seconds'] for one in found):.0f}")
        lines.append(f"| `{row}` | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    asked = " ".join(f'"{row}"' if " " in row else row for row in given.rows)
    if given.seconds != JUDGE.seconds:
        asked += f" --seconds {given.seconds:g}"
    if given.seeds != [0, 1, 2]:
        asked += f" --seeds {' '.join(map(str, given.seeds))}"
    lines = [
        f"```\npython benchmarks/controls.py {asked}\n```\n",
        *lines,
        f"\nScored as in the table of all families; seeds {' '.join(map(str, given.seeds))}, "
        f"{given.seconds:g} s of processor time each ({processor()}, one thread), torch "
        f"{torch.__version__}.",
    ]
    if given.page is not None:
        between_marks(given.page, "controls", "\n".join(lines))


if __name__ == "__main__":
    main()
