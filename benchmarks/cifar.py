"""One step toward published scores: four systems on CIFAR-10, half an hour of one core each.

    python benchmarks/cifar.py --out runs/cifar --page docs/benchmarks/cifar.md

Each preset `cifar10` is made as long as the budget of processor time allows; its schedules end
where that ends. Eight times on the way 5,000 samples are scored in the features of the small
classifier that ships with zerosum, and at the end in those of EfficientNet-Lite0 too, where its
weights are. The last column draws a power law through the second half of the curve and follows it
to the length that the preset has: an extrapolation, and no measurement. Stopped, the same command
goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

import zerosum
from zerosum.bench.pages import between_marks
from zerosum.core.recipe import Recipe
from zerosum.errors import UserError
from zerosum.files import write_text
from zerosum.pipelines.evaluate import Evaluation, Evaluator
from zerosum.plots import draw_curves, save_figure
from zerosum.records import SCORE_ROW, read_lines
from zerosum.training.budget import affordable
from zerosum.training.machine import processor

SYSTEMS = ("dcgan", "wgan_gp", "sngan", "rpgan")
LOOKS, SAMPLES = 8, 5_000
SMALL, LARGE = "cnn-cifar10", "efficientnet-lite0"


def asked(name: str, seconds: float, out: Path) -> Recipe:
    """The preset at the length of the budget; the length is kept beside the run."""
    recipe, plan = zerosum.recipe(f"{name}/cifar10"), out / f"{name}.json"
    if not plan.is_file():
        out.mkdir(parents=True, exist_ok=True)
        write_text(plan, json.dumps({"examples": affordable(recipe, seconds)}))
    examples = json.loads(plan.read_text(encoding="utf-8"))["examples"]
    look = -(-examples // LOOKS)
    return recipe.override(
        {
            "train.examples": examples,
            "train.checkpoint_every": look,
            "train.sheet_every": examples,
            "evaluate.every": look,
            "evaluate.samples": SAMPLES,
            "evaluate.features": SMALL,
            "evaluate.metrics": ["fd", "kd", "prdc"],
            "data.workers": 0,
            "doctor.policy": "off",
        }
    )


def extrapolated(curve: list[tuple[float, float]], length: float) -> float:
    """Where a power law through the second half of a curve is at a length."""
    half = curve[len(curve) // 2 :]
    seen, values = np.log(np.array(half)).T
    slope, height = np.polyfit(seen, values, 1)
    return float(np.exp(height + slope * np.log(length)))


def scores(evaluation: Evaluation, name: str, features: str) -> str:
    """A score with its interval, or a dash."""
    found = [one for one in evaluation.scores if one.metric == f"{name}-{features}"]
    if not found:
        return "-"
    low, high = found[0].interval or (found[0].value, found[0].value)
    return f"{found[0].value:.3g} [{low:.3g}, {high:.3g}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/cifar"))
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--seconds", type=float, default=1_800.0)
    parser.add_argument("--page", type=Path, help="page whose table is replaced")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows, curves, ceilings = [], {}, {}
    for name in given.systems.split(","):
        recipe, run = asked(name, given.seconds, given.out), given.out / name
        begun = time.process_time()
        zerosum.train(recipe, run, device="cpu")
        print(f"{name}: {time.process_time() - begun:,.0f} s with scores", flush=True)
        curve = [
            (row["seen"], row["scores"][f"fd-{SMALL}"])
            for row in read_lines(run / "scores.jsonl", SCORE_ROW)
        ]
        curves[name] = curve
        cells = [name, f"{recipe.train.examples:,}"]
        for features in (SMALL, LARGE):
            try:
                found = Evaluator(
                    ["fd", "kd", "prdc"], features=features, samples=SAMPLES, device="cpu"
                ).run(run)
            except UserError as error:  # the weights of the large one are not everywhere
                print(error, flush=True)
                cells += ["-", "-"]
                continue
            cells += [scores(found, metric, features) for metric in ("fd", "kd")]
            ceilings[features] = [
                f"{found.ceilings[f'{metric}-{features}'].value:.3g}" for metric in ("fd", "kd")
            ]
        whole = zerosum.recipe(f"{name}/cifar10").train.examples
        cells.append(f"{extrapolated(curve, whole):.3g} at {whole:,}")
        rows.append(f"| {' | '.join(cells)} |")
    held = [cell for f in (SMALL, LARGE) for cell in ceilings.get(f, ["-", "-"])]
    head = [
        "system", "images", f"fd-{SMALL}", f"kd-{SMALL}", f"fd-{LARGE}", f"kd-{LARGE}",
        f"fd-{SMALL}, extrapolated",
    ]  # fmt: skip
    table = "\n".join(
        [
            f"| {' | '.join(head)} |",
            f"|{'---|' * len(head)}",
            f"| held-out images in the samples' place | - | {' | '.join(held)} | - |",
            *rows,
            "",
            f"{SAMPLES:,} samples (seed 0) of the averaged generator against {SAMPLES:,} training "
            f"images of the JPEG copy, one training seed (0), {given.seconds:,.0f} s of processor "
            f"time for each training ({processor()}, one thread), torch {torch.__version__}. "
            "Intervals are over samples alone.",
        ]
    )
    print(table)
    if given.page is not None:
        between_marks(given.page, "cifar", table)
        figure = Figure(figsize=(6.5, 4), layout="constrained")
        axis = figure.subplots()
        draw_curves(axis, curves, log=True, markers=True)
        axis.set_ylabel(f"fd-{SMALL}")
        save_figure(figure, given.page.parent.parent / "pictures" / "cifar_curves.png")


if __name__ == "__main__":
    main()
