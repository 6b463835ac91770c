"""Systems for tables on records of binary codes whose prevalences and pairs are known exactly.

    OMP_NUM_THREADS=1 python benchmarks/records.py --out runs/records --seeds 3

Records are a mixture: a person has one of six conditions, and each code then by itself with that
condition's probability. So the probability of each code, and of each two together, is a sum that
can be written down. Each system learns 10,000 records by its preset `adult` at one length and
draws as many; independent columns, the training records and fresh ones of the law stand beside it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import zerosum
from zerosum.bench.pages import mean_and_spread
from zerosum.files import write_text
from zerosum.pipelines.generate import Generator

CONDITIONS, CODES, RECORDS = 6, 60, 10_000
SYSTEMS = ("medgan", "ctgan", "tvae")
COLUMNS = (
    "prevalence, mean error",
    "prevalence, worst",
    "pairs, mean error",
    "correlation of covariances",
    "slope of covariances",
    "processor s",
)


class Law:
    """How likely each code is: alone (codes,), and with each other one (codes, codes)."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.shares = rng.dirichlet(np.full(CONDITIONS, 4.0))
        rare = rng.beta(0.6, 6.0, (CONDITIONS, CODES))  # most codes are rare, as in records
        marks = rng.random((CONDITIONS, CODES)) < 0.15  # and some tell a condition
        self.chances = np.where(marks, rng.uniform(0.3, 0.9, (CONDITIONS, CODES)), rare)
        self.prevalence = self.shares @ self.chances
        self.pairs = (self.chances.T * self.shares) @ self.chances

    def drawn(self, n: int, seed: int) -> NDArray[np.int64]:
        """Records (n, codes) of zeros and ones."""
        rng = np.random.default_rng(seed)
        conditions = rng.choice(CONDITIONS, n, p=self.shares)
        return (rng.random((n, CODES)) < self.chances[conditions]).astype(np.int64)

    def judged(self, records: NDArray[np.int64]) -> list[float]:
        """How far records are from the law, in percentage points, and how covariances agree."""
        off = ~np.eye(CODES, dtype=bool)
        prevalence = records.mean(0)
        pairs = (records.T @ records) / len(records)
        alone = np.abs(prevalence - self.prevalence)
        known = (self.pairs - np.outer(self.prevalence, self.prevalence))[off]
        found = (pairs - np.outer(prevalence, prevalence))[off]
        agree = np.corrcoef(known, found)[0, 1] if found.std() > 1e-12 else 0.0
        return [
            100 * alone.mean(),
            100 * alone.max(),
            100 * np.abs(pairs - self.pairs)[off].mean(),
            float(agree),
            float((known * found).sum() / (known**2).sum()),
        ]


def learned(name: str, seed: int, examples: int, data: Path, out: Path) -> tuple[Generator, float]:
    """A system that learned the records, and the processor time of it."""
    settings = {
        "data.path": str(data),
        "data.target": "",
        "train.examples": examples,
        "train.seed": seed,
        "evaluate.samples": 0,
    }
    begun = time.process_time()
    zerosum.train(
        zerosum.recipe(f"{name}/adult").override(settings), out, device="cpu", quiet=True
    )
    return Generator.load(out, device="cpu"), time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--examples", type=int, default=1_000_000, help="records each one sees")
    given = parser.parse_args()
    law, names = Law(), [f"code_{k:02d}" for k in range(CODES)]
    train, data = law.drawn(RECORDS, 1), given.out / "records.csv"
    write_text(data, pd.DataFrame(train, columns=names).to_csv(index=False))
    shuffle = np.random.default_rng(2)
    alone = np.stack([shuffle.permutation(column) for column in train.T], 1)
    rows = {
        "fresh records of the law": [law.judged(law.drawn(RECORDS, 3))],
        "training records": [law.judged(train)],
        "independent columns": [law.judged(alone)],
    }
    for name in given.systems:
        rows[name] = []
        for seed in range(given.seeds):
            run = given.out / f"{name}-{seed}"
            generator, seconds = learned(name, seed, given.examples, data, run)
            drawn = generator.sample(RECORDS, seed=seed)[names].to_numpy(np.int64)
            rows[name].append([*law.judged(drawn), seconds])
            print(name, seed, " ".join(f"{value:.3g}" for value in rows[name][-1]), flush=True)
    print(f"| records | seeds | {' | '.join(COLUMNS)} |\n{'|---' * (len(COLUMNS) + 2)}|")
    for name, found in rows.items():
        columns = list(zip(*found))
        cells = [mean_and_spread(column, ".2f", ".2f") for column in columns]
        cells += ["-"] * (len(COLUMNS) - len(cells))
        print(f"| {name} | {len(found)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
