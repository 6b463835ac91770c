"""The same trainings in float32 and in bfloat16: processor time and scores.

    OMP_NUM_THREADS=1 python benchmarks/precision.py dcgan/fashion lsgan/fashion --images 100000 \
        --page docs/benchmarks/speed.md

A game says `bf16 = True` for `train.precision=auto` where this table shows it faster and its
scores within each other's spread. What stands in --out is not trained again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

import zerosum
from zerosum.bench.families.protocol import PROTOCOLS, SEED, Protocol
from zerosum.bench.kept import demand_same
from zerosum.bench.pages import between_marks, demand, mean_and_spread
from zerosum.core.draw import draw
from zerosum.core.runtime import Precision
from zerosum.files import write_text
from zerosum.training.machine import processor
from zerosum.training.trainer import Trainer

KINDS: tuple[Precision, ...] = ("fp32", "bf16")
MARK = "precision"


def result(
    name: str, kind: Precision, seed: int, given: argparse.Namespace, judge: Protocol
) -> dict[str, float]:
    """Seconds and scores of one training, which is made where it was not."""
    folder = given.out / name.replace("/", "-") / f"{kind}-{seed}"
    file = folder / "result.json"
    asked = zerosum.recipe(name).override(
        {
            "train.precision": kind,
            "train.seed": seed,
            "train.examples": given.images,
            "train.checkpoint_every": given.images,
            "train.sheet_every": given.images,
            "evaluate.every": 0,
            "evaluate.samples": 0,
            "doctor.policy": "off",
        }
    )
    if file.is_file():
        demand_same(asked, folder / "run")
        return json.loads(file.read_text(encoding="utf-8"))
    begun = time.process_time()
    game = Trainer(asked, folder / "run", device="cpu", quiet=True).fit()
    spent = time.process_time() - begun
    row = judge.row(draw(game, len(judge.real), seed=SEED)["image"])
    found = {"seconds": spent, "fd": row[f"FD cnn-{judge.classifier}"], "recall": row["recall"]}
    write_text(file, json.dumps(found) + "\n")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("systems", nargs="+", help="presets on one of the families' sets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=100_000, help="length of each training")
    parser.add_argument("--out", type=Path, default=Path("runs/precision"))
    parser.add_argument("--page", type=Path, help="page to write into, between its marks")
    given = parser.parse_args()
    if given.page is not None:
        demand(given.page, MARK)  # before the work
    torch.set_num_threads(1)
    lines = [
        "| preset | s in fp32 | s in bf16 | fp32 / bf16 | FD, fp32 | FD, bf16 | recall, fp32 "
        "| recall, bf16 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in given.systems:
        judge = next(one for one in PROTOCOLS.values() if name.endswith(f"/{one.preset}"))
        runs = {kind: [] for kind in KINDS}
        for seed in given.seeds:  # side by side, so that a busy machine slows both
            for kind in KINDS:
                runs[kind].append(result(name, kind, seed, given, judge))
        ratios = [a["seconds"] / b["seconds"] for a, b in zip(runs["fp32"], runs["bf16"])]
        cells = [
            *(f"{statistics.mean(one['seconds'] for one in runs[kind]):.0f}" for kind in KINDS),
            mean_and_spread(ratios),
            *(
                mean_and_spread([one[what] for one in runs[kind]])
                for what in ("fd", "recall")
                for kind in KINDS
            ),
        ]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    lines.append(
        f"\n{given.images:,} images, seeds {' '.join(map(str, given.seeds))} (mean ± standard "
        f"deviation), processor time of {processor()}, one thread, torch {torch.__version__}; FD "
        "on features of the set's small classifier, otherwise as in the table of all families."
    )
    if given.page is not None:
        between_marks(given.page, MARK, "\n".join(lines))


if __name__ == "__main__":
    main()
