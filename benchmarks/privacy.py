"""What scores of privacy see and what they do not: rows whose leak is known, by construction.

    OMP_NUM_THREADS=1 python benchmarks/privacy.py --page privacy.md

Of `adult` 5,000 rows are the training rows, 5,000 are kept aside, and 5,000 more are neither. The
"generated" rows are made of these without any network, so that it is known what leaks: fresh rows
of the same law (nothing does), columns drawn apart, the training rows again, training rows whose
numbers are jittered, and fresh rows among which one row in a hundred, or a single one, is a
training row. Told are the scores of `zerosum evaluate`, and an attack beside them: somebody knows
whole rows, of training and of others, and says of those that lie nearest to a generated row that
they were trained on. `caught` is the share of training rows that are so named when 5 % of the
others are named wrongly; `attack` is the area under the curve of this.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from zerosum.data.places import named_file
from zerosum.doctor.signals import auc
from zerosum.files import write_text
from zerosum.modalities.tables.baselines import bootstrap, marginals
from zerosum.modalities.tables.privacy import closest, nearest_rows
from zerosum.modalities.tables.reading import read_table
from zerosum.modalities.tables.view import View, views

ROWS, WRONG = 5_000, 0.05
COLUMNS = ("copies", "dcr-share", "dcr-ratio", "attack", "caught")


def jittered(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The rows, numbers moved by 1 % of their range, up or down."""
    found = frame.copy()
    for name in found.select_dtypes("number"):
        width = 0.01 * float(np.ptp(found[name]))
        found[name] = found[name] + width * rng.choice([-1.0, 1.0], len(found))
    return found


def leaking(fresh: pd.DataFrame, train: pd.DataFrame, count: int) -> pd.DataFrame:
    """Fresh rows, the last of them exchanged for training rows."""
    return pd.concat([fresh.iloc[: len(fresh) - count], train.iloc[:count]], ignore_index=True)


def attacked(fake: View, train: View, aside: View) -> tuple[float, float]:
    """(area, share caught) of an attack by distance."""
    own, other = (nearest_rows(rows, fake, like=train)[0] for rows in (train, aside))
    level = np.quantile(other, WRONG)
    # Ties with the level are drawn by lot, so that 5 % of the others are named whatever ties.
    below, level_share = (other < level).mean(), max(float((other == level).mean()), 1e-12)
    lot = (WRONG - below) / level_share
    caught = float((own < level).mean() + lot * (own == level).mean())
    return auc(torch.from_numpy(-own), torch.from_numpy(-other)), caught


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--page", type=Path, help="write the table here, too")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    frame = read_table(named_file("adult", "tabular", "adult-train.csv.gz")).frame
    rng = np.random.default_rng(given.seed)
    order = rng.permutation(len(frame))[: 3 * ROWS].reshape(3, ROWS)
    train, aside, fresh = (frame.iloc[rows].reset_index(drop=True) for rows in order)
    made = {
        "fresh rows": fresh,
        "independent columns": marginals(train, ROWS, given.seed),
        "the training rows again": bootstrap(train, ROWS, given.seed),
        "the training rows, jittered": jittered(train, rng),
        "fresh, 1 in 100 a training row": leaking(fresh, train, ROWS // 100),
        "fresh, one training row": leaking(fresh, train, 1),
    }
    lines = [f"| rows | {' | '.join(COLUMNS)} |", "|---" * (1 + len(COLUMNS)) + "|"]
    for name, rows in made.items():
        seen = views(train, rows, aside, target="income")
        found = closest(train=seen[0], fake=seen[1], held_out=seen[2], n=ROWS, seed=given.seed)
        area, caught = attacked(seen[1], seen[0], seen[2])
        low, high = found.share.interval or (np.nan, np.nan)
        share = f"{found.share.value:.3f} [{low:.3f}, {high:.3f}]"
        cells = [f"{found.copies[0]:.4f}", share, f"{found.ratio.value:.2f}"]
        cells += [f"{area:.3f}", f"{100 * caught:.1f} %"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    if given.page is not None:
        write_text(given.page, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
