"""Systems for time series beside what is no GAN, on prices, appliances, power demand and motion.

    export OMP_NUM_THREADS=1
    python benchmarks/series.py --out runs/series --page docs/benchmarks/series.md
    python benchmarks/series.py --out runs/series --sets stock --seeds 3

Each system learns each set by its own preset for it; where it has none, by that of the set `stock`
(`timegan` learns labelled sets without their labels). `quantgan` learns daily returns of one share
and is compared there, `returns`, with what draws such series. Held-out series are those of the
set: later days, or its official test part. A row for each set, method and seed is kept in
OUT/rows.jsonl; a stopped run goes on. Scores are those of `zerosum evaluate RUN --samples 1000`;
seconds are of processor time, of the training with its sheets and checkups.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import zerosum
from zerosum.bench.pages import between_marks, mean_and_spread
from zerosum.core.recipe import Recipe
from zerosum.core.registry import system
from zerosum.pipelines.evaluate import Evaluation, Evaluator

SYSTEMS = {
    "stock": ("timegan", "rcgan", "doppelganger"),
    "energy": ("timegan", "rcgan", "doppelganger"),
    "italy-power-demand": ("timegan", "rcgan", "doppelganger"),
    "gunpoint": ("timegan", "rcgan", "doppelganger"),
    "returns": ("quantgan",),
}
COMMON = ("discriminative", "predictive", "acf")
MORE = {
    "stock": ("cross-correlation",),
    "energy": ("cross-correlation",),
    "italy-power-demand": ("tstr",),
    "gunpoint": ("tstr",),
    "returns": ("volatility", "leverage", "tails"),
}
SHOWN = (
    "discriminative",
    "predictive",
    "acf",
    "cross-correlation",
    "volatility",
    "leverage",
    "kurtosis",
    "kurtosis-real",
    "tstr-accuracy",
    "trtr-accuracy",
    "seconds",
)
SAMPLES = 1_000


def recipe(name: str, data: str) -> Recipe:
    """The recipe of a system for a set."""
    if data == "returns":
        return zerosum.recipe(f"{name}/stock")
    if data in system(name).presets:
        return zerosum.recipe(f"{name}/{data}")
    return zerosum.recipe(f"{name}/stock").override({"data.path": data})


def metrics(name: str, data: str) -> tuple[str, ...]:
    """What is taken: usefulness needs labels, which not all systems draw."""
    more = MORE[data]
    labelled = "tstr" not in more or getattr(recipe(name, data).model, "labels", False)
    return (*COMMON, *more) if labelled else COMMON


def scored(found: Evaluation) -> dict[str, float]:
    return {record.metric: record.value for record in found.scores}


def cell(values: list[float], name: str) -> str:
    form = ".0f" if name == "seconds" else ".3f"
    return mean_and_spread(values, form, form)


def table(rows: list[dict[str, Any]]) -> str:
    """A table for each set, a line for each method: means over seeds, with their standard
    deviation, of the scores that any of them has there."""
    tables = []
    for data in SYSTEMS:
        methods: dict[str, list[dict[str, float]]] = {}
        for row in rows:
            if row["set"] == data:
                methods.setdefault(row["name"], []).append(row["scores"])
        shown = [
            name for name in SHOWN if any(name in s for some in methods.values() for s in some)
        ]
        lines = [f"| {data} | seeds | {' | '.join(shown)} |", "|---" * (len(shown) + 2) + "|"]
        for name, some in methods.items():
            cells = [cell([s[n] for s in some if n in s], n) for n in shown]
            lines.append(f"| {name} | {len(some)} | {' | '.join(cells)} |")
        tables += ["\n".join(lines)] if methods else []
    return "\n\n".join(tables) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--page", type=Path, help="page whose table is replaced")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    file = given.out / "rows.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done = {(row["set"], row["name"], row["seed"]) for row in rows}

    def keep(data: str, name: str, seed: int, scores: dict[str, float]) -> None:
        rows.append({"set": data, "name": name, "seed": seed, "scores": scores})
        with file.open("a") as stream:
            stream.write(json.dumps(rows[-1]) + "\n")

    for data in given.sets:
        for seed in range(given.seeds):
            for place, name in enumerate(SYSTEMS[data]):
                if (data, name, seed) in done:
                    continue
                run, begun = given.out / data / f"{name}-{seed}", time.process_time()
                stopped = run.exists()  # what it took before, nobody counted
                wanted = recipe(name, data).override({"train.seed": seed, "evaluate.every": 0})
                zerosum.train(wanted, run, device="cpu", quiet=True)
                seconds = time.process_time() - begun
                judge = Evaluator(metrics(name, data), samples=SAMPLES, seed=seed, device="cpu")
                spent = {} if stopped else {"seconds": seconds}
                keep(data, name, seed, scored(judge.run(run)) | spent)
                print(f"{data}, {name}, seed {seed}: {seconds:.0f} s", flush=True)
                if not place:
                    for one in judge.baselines(run):
                        keep(data, one.name, seed, scored(one))
    print(table(rows))
    if given.page is not None:
        between_marks(given.page, "series", table(rows))


if __name__ == "__main__":
    main()
