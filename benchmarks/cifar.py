"""One step toward published scores: four systems on CIFAR-10 at one budget of time.

    python benchmarks/cifar.py --out runs/cifar --page docs/benchmarks/cifar.md
    python benchmarks/cifar.py --device cuda --seconds 300 --out runs/cifar

Each preset `cifar10` is made as long as the budget allows, half an hour of one core where none is
given; on a GPU the budget is of the clock. Its schedules end where that ends. Eight times on the
way 5,000 samples are scored in the features of the small classifier that ships with zerosum, and
at the end in those of EfficientNet-Lite0 too, where its weights are. The last column draws a power
law through the second half of the curve and follows it to the length that the preset has: an
extrapolation, and no measurement; it is left out where the curve rises, and where the law ends
below what real images score. Stopped, the same command goes on where it was, and systems that were
made one by one with --systems stand in one table.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

import zerosum
from zerosum.bench.kept import demand_same
from zerosum.bench.pages import between_marks, demand
from zerosum.core.recipe import Recipe
from zerosum.errors import UserError
from zerosum.files import write_text
from zerosum.pipelines.evaluate import Evaluator
from zerosum.plots import draw_curves, save_figure
from zerosum.records import SCORE_ROW, read_lines
from zerosum.training.budget import affordable
from zerosum.training.run import RunFolder

SYSTEMS = ("dcgan", "wgan_gp", "sngan", "rpgan")
LOOKS, SAMPLES = 8, 5_000
SMALL, LARGE = "cnn-cifar10", "efficientnet-lite0"
METRICS = ("fd", "kd", "prdc")


def asked(name: str, seconds: float, out: Path, device: str) -> Recipe:
    """The preset at the length of the budget; the length is kept beside the run."""
    recipe, plan = zerosum.recipe(f"{name}/cifar10"), out / f"{name}.json"
    if not plan.is_file():
        out.mkdir(parents=True, exist_ok=True)
        write_text(plan, json.dumps({"examples": affordable(recipe, seconds, device=device)}))
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
            "evaluate.metrics": list(METRICS),
            "data.workers": 0,
            "doctor.policy": "off",
        }
    )


def extrapolated(curve: list[tuple[float, float]], length: float, least: float) -> str:
    """Where a power law through the second half of a curve is at a length.

    A dash where the curve rises, or where the law ends below what real images score.
    """
    seen, values = np.log(np.array(curve[len(curve) // 2 :])).T
    slope, height = np.polyfit(seen, values, 1)
    found = float(np.exp(height + slope * np.log(length)))
    return f"{found:.3g} at {length:,.0f}" if slope < 0 and found > least else "-"


def row_of(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """Curve, scores and ceilings of a system, which is trained and judged where it was not."""
    recipe, run = asked(name, given.seconds, given.out, given.device), given.out / name
    file = given.out / f"{name}-judged.json"
    if file.is_file():
        demand_same(recipe, run)
        return json.loads(file.read_text(encoding="utf-8"))
    zerosum.train(recipe, run, device=given.device)
    lines = read_lines(run / "scores.jsonl", SCORE_ROW)
    where = RunFolder(run).read_machine()
    row: dict[str, Any] = {
        "images": recipe.train.examples,
        "curve": [(line["seen"], line["scores"][f"fd-{SMALL}"]) for line in lines],
        "where": f"{where['device']}, {where['versions']}",
        "scores": {},
        "ceilings": {},
    }
    for features in (SMALL, LARGE):
        try:
            judge = Evaluator(METRICS, features=features, samples=SAMPLES, device=given.device)
            found = judge.run(run)
        except UserError as error:  # the weights of the large one are not everywhere
            print(error, flush=True)
            continue
        for score in found.scores:
            row["scores"][score.metric] = [score.value, *(score.interval or ())]
        row["ceilings"] |= {metric: score.value for metric, score in found.ceilings.items()}
    write_text(file, json.dumps(row, indent=1) + "\n")
    return row


def cell(values: list[float] | None) -> str:
    """A score with its interval, or a dash."""
    if not values:
        return "-"
    value, *interval = (f"{number:.3g}" for number in values)
    return f"{value} [{', '.join(interval)}]" if interval else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/cifar"))
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--seconds", type=float, default=1_800.0)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--page", type=Path, help="page whose table is replaced")
    given = parser.parse_args()
    if given.page is not None:
        demand(given.page, "cifar")  # before hours of work
    torch.set_num_threads(1)
    found = {name: row_of(name, given) for name in given.systems.split(",")}
    columns = [f"{metric}-{features}" for features in (SMALL, LARGE) for metric in ("fd", "kd")]
    rows = []
    for name, row in found.items():
        whole = zerosum.recipe(f"{name}/cifar10").train.examples
        seen, best = min(row["curve"], key=lambda point: point[1])
        ways = [
            f"{best:.3g} at {seen:,}",
            extrapolated(row["curve"], whole, row["ceilings"][columns[0]]),
        ]
        cells = [cell(row["scores"].get(column)) for column in columns]
        rows.append(f"| {' | '.join([name, format(row['images'], ','), *cells, *ways])} |")
    first = next(iter(found.values()))
    held = [cell([first["ceilings"][c]] if c in first["ceilings"] else None) for c in columns]
    ways = [f"fd-{SMALL}, best on the way", "extrapolated"]
    head = ["system", "images", *columns, *ways]
    budget = "of the clock" if given.device == "cuda" else "of processor time, one thread,"
    table = "\n".join(
        [
            f"| {' | '.join(head)} |",
            f"|{'---|' * len(head)}",
            f"| held-out images in the samples' place | - | {' | '.join(held)} | - | - |",
            *rows,
            "",
            f"{SAMPLES:,} samples (seed 0) of the averaged generator against {SAMPLES:,} training "
            f"images of the JPEG copy, one training seed (0), {given.seconds:,.0f} s {budget} "
            f"for each training ({first['where']}). Intervals are over samples alone.",
        ]
    )
    print(table)
    if given.page is not None:
        between_marks(given.page, "cifar", table)
        figure = Figure(figsize=(6.5, 4), layout="constrained")
        axis = figure.subplots()
        curves = {name: row["curve"] for name, row in found.items()}
        draw_curves(axis, curves, log=True, markers=True)
        axis.set_xscale("log")
        axis.set_ylabel(f"fd-{SMALL}")
        save_figure(figure, given.page.parent.parent / "pictures" / "cifar_curves.png")


if __name__ == "__main__":
    main()
