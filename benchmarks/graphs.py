"""Link prediction by graphgan beside methods that learn nothing, over splits of the edges.

    python benchmarks/graphs.py --splits 10 --out runs/graphs --page docs/benchmarks/graphs.md

Each split keeps a tenth of the edges aside (seeds 0, 1, ...); all methods score them against up to
10,000 pairs that are no edges. Of the block model the best possible score is known: whether two
nodes share a block.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import zerosum
from zerosum.bench.pages import between_marks
from zerosum.metrics.detection import auroc
from zerosum.modalities.graphs.reading import BLOCKS, read
from zerosum.pipelines.links import LinkPredictor

RUNS = {"les-miserables": ("les-miserables", "random"), "block-model": ("block-model",)}


def same_block(pairs: np.ndarray) -> np.ndarray:
    """1.0 (N,) where both nodes (N, 2) of the block model share a block."""
    block = np.repeat(np.arange(len(BLOCKS)), BLOCKS)
    names = np.array([int(name) for name in read("block-model").names])
    ends = block[names[pairs]]
    return (ends[:, 0] == ends[:, 1]).astype(float)


def of_split(graph: str, split: int, out: Path) -> dict[str, float]:
    """Areas under the ROC curve of all methods on one split."""
    found: dict[str, float] = {}
    for preset in RUNS[graph]:
        folder = out / f"{graph}-{preset}-{split}"
        recipe = zerosum.recipe(f"graphgan/{preset}").override(
            {"data.seed": split, "train.seed": split, "evaluate.samples": 0}
        )
        zerosum.train(recipe, folder, device="cpu", quiet=True)
        for by in ("generator", "critic"):
            predictor = LinkPredictor.load(folder, device="cpu", options={"by": by})
            pairs, truth = predictor.trial()
            scores = predictor.ranked(pairs)
            found[f"graphgan/{preset}, {by}"] = auroc(scores.pop("graphgan"), truth)
            found |= {name: auroc(of, truth) for name, of in scores.items()}
    if graph == "block-model":
        found["the blocks themselves (best possible)"] = auroc(same_block(pairs), truth)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("runs/graphs"))
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    for graph in RUNS:
        rows = [of_split(graph, split, given.out) for split in range(given.splits)]
        lines = ["| scored by | AUC |", "|---|---|"]
        for name in sorted(rows[0], key=lambda name: -np.mean([row[name] for row in rows])):
            values = [row[name] for row in rows]
            lines.append(f"| {name} | {np.mean(values):.3f} ± {np.std(values, ddof=1):.3f} |")
        lines += ["", f"Mean ± standard deviation over {given.splits} splits."]
        text = "\n".join(lines)
        print(f"{graph}\n{text}\n")
        if given.page is not None:
            between_marks(given.page, f"graphs {graph}", text)


if __name__ == "__main__":
    main()
