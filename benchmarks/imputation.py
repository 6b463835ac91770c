"""`gain` beside mean and mode, nearest neighbours and MICE, where the truth is known.

    OMP_NUM_THREADS=1 python benchmarks/imputation.py --out runs/imputation --seeds 3
    python benchmarks/imputation.py --out runs/imputation --table

Seven tenths of a table's rows lose cells, the target's apart: at random, or the likelier the
greater one column is, which stays whole (`depending`). `gain` learns from what is left, as
`zerosum train gain --data broken.csv` does, and fills it; the others fill the same rows.
`rmse` is in standard deviations, `pfc` a share of categories, both over the lost cells; `auc` is
that of boosting which learns the target from the filled rows and is tested on the whole rows that
were kept aside. A row for each table, way of losing, share and seed is kept in OUT/rows.jsonl; a
stopped run goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from zerosum.bench.pages import between_marks
from zerosum.core.registry import recipe
from zerosum.data.places import named_file
from zerosum.modalities.tables.imputing import IMPUTERS, errors
from zerosum.modalities.tables.reading import read_table
from zerosum.modalities.tables.utility import utility
from zerosum.modalities.tables.view import views
from zerosum.pipelines.impute import Imputer
from zerosum.training.trainer import Trainer

EXAMPLES = 200_000
MEASURES = ("rmse", "pfc", "auc", "seconds")


def german() -> tuple[pd.DataFrame, str, str]:
    frame = _read("german").rename(columns={"column_21": "risk"})
    frame["risk"] = np.where(frame["risk"] == 1, "good", "poor")
    return frame, "risk", "column_2"


def wine() -> tuple[pd.DataFrame, str, str]:
    frame = _read("winequality-white")
    good = np.where(frame.pop(frame.columns[-1]) >= 7, "good", "fair")
    return frame.assign(quality=good), "quality", str(frame.columns[0])


def housing() -> tuple[pd.DataFrame, str, str]:
    frame = _read("california-housing")
    dear = frame.pop("median_house_value")
    frame = frame.assign(value=np.where(dear > dear.median(), "high", "fair")).dropna()
    return frame.reset_index(drop=True), "value", "median_income"


TABLES = {"german": german, "wine quality": wine, "california housing": housing}


def _read(name: str) -> pd.DataFrame:
    path = named_file(name, "tabular", f"{name}.csv.gz")
    return read_table(path).frame


def holes(
    frame: pd.DataFrame, target: str, by: str, how: str, share: float, seed: int
) -> np.ndarray:
    """Which cells (N, columns) are lost."""
    rng = np.random.default_rng(seed)
    kept = [name in ((target,) if how == "random" else (target, by)) for name in frame.columns]
    rank = frame[by].rank(pct=True).to_numpy()
    chance = np.full(len(frame), share) if how == "random" else 2 * share * rank
    return (rng.random(frame.shape) < chance[:, None]) & ~np.array(kept)


def measured(name: str, how: str, share: float, seed: int, out: Path) -> dict[str, Any]:
    """Measures of each way to fill, by its name."""
    frame, target, by = TABLES[name]()
    order = np.random.default_rng(seed).permutation(len(frame))
    cut = round(0.7 * len(frame))
    train, test = (frame.iloc[o].reset_index(drop=True) for o in (order[:cut], order[cut:]))
    broken = train.astype(object).mask(holes(train, target, by, how, share, seed))
    folder = out / f"{name}-{how}-{share}-{seed}".replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    broken.to_csv(folder / "broken.csv", index=False)
    begun = time.process_time()
    learnt = recipe("gain/adult").with_data(str(folder / "broken.csv"))
    settings: dict[str, Any] = {"train.examples": EXAMPLES, "train.seed": seed}
    settings |= {"evaluate.samples": 0, "data.holdout": 0.0, "data.target": target}
    if not (folder / "run").exists():
        Trainer(learnt.override(settings), folder / "run", device="cpu", quiet=True).fit()
    imputer = Imputer.load(folder / "run", device="cpu")
    imputer.fill_file(str(folder / "broken.csv"), folder / "full.csv", seed=seed)
    seconds = {"gain": time.process_time() - begun}
    codec = imputer.codec
    known = codec.knows(train)  # a category may have been lost wherever it was
    given = codec.encode(read_table(folder / "broken.csv").frame)["given"]
    rows = {"gain": codec.encode(read_table(folder / "full.csv").frame)["row"]}
    for way, fill in IMPUTERS.items():
        begun = time.process_time()
        rows[way] = fill(given, given, codec.row, seed)
        seconds[way] = time.process_time() - begun
    truth, some = codec.encode(train.loc[known])["row"], torch.from_numpy(known)
    found: dict[str, Any] = {}
    for way, full in rows.items():
        scores = errors(full[some], truth, given[some], codec.row)
        real, fake, held = views(train, codec.decode({"row": full}), test, target=target)
        useful = utility(real=real, fake=fake, held_out=held, seed=seed)
        found[way] = {n: float(s) for n, s in scores.items()}
        found[way] |= {"auc": float(useful.synthetic["auc"]), "seconds": seconds[way]}
        found["whole rows"] = {"auc": float(useful.real["auc"])}
    return {way: found[way] for way in (*rows, "whole rows")}


def table(rows: list[dict[str, Any]]) -> str:
    """A line for each way to fill; means over seeds."""
    groups: dict[tuple[Any, ...], list[dict[str, float]]] = {}
    for row in rows:
        for way, scores in row["found"].items():
            key = (row["table"], row["how"], row["share"], way)
            groups.setdefault(key, []).append(scores)
    lines = [f"| table | lost | filled by | seeds | {' | '.join(MEASURES)} |", "|---" * 8 + "|"]
    for (name, how, share, way), some in groups.items():
        cells = []
        for measure in MEASURES:
            values = [scores[measure] for scores in some if measure in scores]
            cells.append(f"{np.mean(values):.3f}" if values else "-")
        cells[-1] = cells[-1] if cells[-1] == "-" else f"{float(cells[-1]):.0f}"
        lines.append(f"| {name} | {share:.0%} {how} | {way} | {len(some)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--table", action="store_true", help="Print what is there.")
    parser.add_argument("--page", type=Path, help="Page whose table to bring up to date.")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    file = given.out / "rows.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done = {(row["table"], row["how"], row["share"], row["seed"]) for row in rows}
    plan = [
        (name, how, share, seed)
        for seed in range(given.seeds)
        for name in TABLES
        for how in ("random", "depending")
        for share in (0.2, 0.5)
    ]
    for name, how, share, seed in [] if given.table else plan:
        if (name, how, share, seed) in done:
            continue
        found = measured(name, how, share, seed, given.out)
        rows.append({"table": name, "how": how, "share": share, "seed": seed, "found": found})
        with file.open("a") as stream:
            stream.write(json.dumps(rows[-1]) + "\n")
        print(f"{name}, {share:.0%} {how}, seed {seed}", flush=True)
    text = f"{table(rows)}\n\n`python benchmarks/imputation.py --seeds {given.seeds}`"
    print(text)
    if given.page:
        between_marks(given.page, "imputation", text)


if __name__ == "__main__":
    main()
