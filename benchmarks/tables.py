"""Systems for tables beside the baselines and, where one is installed, the `ctgan` package.

    OMP_NUM_THREADS=1 python benchmarks/tables.py --out runs/tables --seeds 3
    python benchmarks/tables.py --out runs/tables --seeds 3 --peer /path/of/its/python
    python benchmarks/tables.py --out runs/tables --table

Each training is a process of its own, `zerosum train SYSTEM/adult`, whose processor time (user and
system, codec, sheets, checkups and scores included) the system tells. A row for each system and
seed is kept in OUT/rows.jsonl; a stopped run goes on. The package is trained for 30 epochs on the
same rows, missing values as a category, by the Python that is named, which needs `ctgan` and
pandas; its rows are scored by the same protocol, but for those that hold a value which no training
row has.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from zerosum.metrics.judge import Judge
from zerosum.metrics.registry import known_metrics
from zerosum.metrics.sets import Sets
from zerosum.modalities.tables import MODALITY, Table
from zerosum.modalities.tables.opening import find
from zerosum.pipelines.evaluate import Evaluation, Evaluator

SYSTEMS = ("ctgan", "tvae", "medgan")
SAMPLES = 32_561
METRICS = ("quality", "tstr", "discriminative", "dcr")
SHOWN = (
    "column-shapes",
    "pair-trends",
    "quality",
    "tstr-auc",
    "tstr-f1",
    "discriminative-auc",
    "dcr-share",
    "copies",
    "seconds",
)
PEER = """
import sys
import numpy, pandas, torch
from ctgan import CTGAN
rows, out, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.manual_seed(seed); numpy.random.seed(seed); torch.set_num_threads(1)
frame = pandas.read_csv(rows, keep_default_na=False)
discrete = [name for name in frame.columns if not pandas.api.types.is_numeric_dtype(frame[name])]
model = CTGAN(epochs=30)
model.fit(frame, discrete)
model.sample(len(frame)).to_csv(out, index=False)
"""


def timed(command: list[str]) -> float:
    """Processor seconds of a command and all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def scores_of(found: Evaluation) -> dict[str, float]:
    return {record.metric: record.value for record in found.scores}


def trained(name: str, seed: int, out: Path) -> dict[str, float]:
    """Train one of our systems and score it."""
    run = out / f"{name}-{seed}"
    words = [f"{name}/adult", f"train.seed={seed}", "--device", "cpu", "--quiet"]
    seconds = timed([sys.executable, "-m", "zerosum", "train", *words, "--out", str(run)])
    evaluator = Evaluator(METRICS, samples=SAMPLES, seed=seed, device="cpu")
    return scores_of(evaluator.run(run)) | {"seconds": seconds}


def peers(python: str, seed: int, out: Path) -> dict[str, float]:
    """Train the package on the same rows and score what it draws."""
    split = Table(path="adult").open()
    codec = split.codec
    rows, made = out / "adult.csv", out / f"peer-{seed}.csv"
    real = codec.decode(split.train.some(SAMPLES))
    real.fillna("?").to_csv(rows, index=False)
    seconds = timed([python, "-c", PEER, str(rows), str(made), str(seed)])
    frame = find(Table(path=str(made), holdout=0, columns=(), kinds={})).train
    known = codec.knows(frame)  # it may round a number to one that no row has
    print(f"ctgan package, seed {seed}: {len(frame) - known.sum():,} rows hold unknown values")
    judge = Judge(
        MODALITY.features(None, {}, ""), known_metrics(MODALITY.own_metrics), codec.decode
    )
    assert split.heldout is not None
    fake = codec.encode(frame[known].reset_index(drop=True))
    batches = (split.train.some(SAMPLES), fake, split.heldout.some(SAMPLES))
    sets = Sets(*(judge.embed(batch) for batch in batches), seed)
    taken = [one for metric in METRICS for one in judge.take(metric, sets)]
    return {one.name: one.score.value for one in taken} | {"seconds": seconds}


def baselines(run: Path, seed: int) -> dict[str, dict[str, float]]:
    evaluator = Evaluator(METRICS, samples=SAMPLES, seed=seed, device="cpu")
    return {found.name: scores_of(found) for found in evaluator.baselines(run)}


def table(rows: list[dict[str, Any]]) -> str:
    """A line for each system and seed."""
    lines = [f"| rows | seed | {' | '.join(SHOWN)} |", "|---" * (len(SHOWN) + 2) + "|"]
    for row in rows:
        cells = [f"{row['scores'][name]:.3f}" if name in row["scores"] else "-" for name in SHOWN]
        lines.append(f"| {row['name']} | {row['seed']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--systems", nargs="+", default=SYSTEMS)
    parser.add_argument("--peer", help="A Python in which the ctgan package is installed.")
    parser.add_argument("--table", action="store_true", help="Print what is there.")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    file = given.out / "rows.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    if given.table:
        print(table(rows))
        return

    def keep(name: str, seed: int, scores: dict[str, float]) -> None:
        rows.append({"name": name, "seed": seed, "scores": scores})
        with file.open("a") as stream:
            stream.write(json.dumps(rows[-1]) + "\n")

    done = {(row["name"], row["seed"]) for row in rows}
    for seed in range(given.seeds):
        for name in given.systems:
            if (name, seed) not in done:
                begun = time.monotonic()
                keep(name, seed, trained(name, seed, given.out))
                print(f"{name} {seed}: {time.monotonic() - begun:.0f} s", flush=True)
        if given.peer and ("ctgan package", seed) not in done:
            keep("ctgan package", seed, peers(given.peer, seed, given.out))
        if ("smote", seed) not in done:
            for name, scores in baselines(given.out / f"{given.systems[0]}-{seed}", seed).items():
                keep(name, seed, scores)
    print(table(rows))


if __name__ == "__main__":
    main()
