"""Scores of systems on the 8x8 digits, over seeds, beside baselines that are no GAN.

    python benchmarks/digits.py rpgan gan cgan dcgan --seeds 3 --out runs/digits

Protocol: the preset `digits` of each system, trained on 90 % of scikit-learn's 1,797 digits; 1,797
samples (seed 1) of the averaged generator against all 1,797 digits, pixels in [-1, 1]. Classes are
told by an SVC trained on the real digits. Runs that are there already are not trained again.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping
from pathlib import Path

import torch
from sklearn.svm import SVC
from torch import Tensor

import zerosum
from zerosum.core.run import read_run
from zerosum.data.config import Images
from zerosum.data.source import Source, finish
from zerosum.metrics import frechet_distance, precision_recall

N = 1_797


def real_digits() -> tuple[Tensor, Tensor]:
    """All digits as rows (1797, 64) in [-1, 1], and their labels."""
    source = Images(path="digits", holdout=0).open().train
    assert isinstance(source, Source)
    batch = finish(source.fetch(range(len(source))))
    return batch["image"].flatten(1), batch["label"]


def scores(real: Tensor, fake: Tensor, judge: SVC) -> dict[str, float]:
    """The row of one set of samples (N, 64)."""
    both = precision_recall(real=real, fake=fake, k=5)
    counts = torch.bincount(torch.as_tensor(judge.predict(fake.numpy())), minlength=10) / len(fake)
    return {
        "FD pixels": float(frechet_distance(real=real, fake=fake, interval=False)),
        "precision": float(both.precision),
        "recall": float(both.recall),
        "rarest class %": 100 * counts.min().item(),
        "commonest class %": 100 * counts.max().item(),
    }


def baselines(real: Tensor) -> dict[str, Tensor]:
    """Samples of models that a GAN should be compared with."""
    rng = torch.Generator().manual_seed(0)
    mean, factor = real.mean(0), torch.linalg.cholesky(real.T.cov() + 1e-6 * torch.eye(64))
    gaussian = mean + torch.randn(N, 64, generator=rng) @ factor.T
    pick = torch.randint(len(real), (N,), generator=rng)
    kernel = real[pick] + 0.2 * torch.randn(N, 64, generator=rng)
    return {
        "one Gaussian (no GAN)": gaussian.clamp(-1, 1),
        "the data + noise 0.2 (no GAN)": kernel.clamp(-1, 1),
    }


def row(name: str, columns: Mapping[str, list[float]]) -> str:
    cells = []
    for values in columns.values():
        spread = f" ± {statistics.stdev(values):.3g}" if len(values) > 1 else ""
        cells.append(f"{statistics.mean(values):.3g}{spread}")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("systems", nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/digits"))
    arguments = parser.parse_args()
    real, labels = real_digits()
    judge = SVC().fit(real.numpy(), labels.numpy())
    half = len(real) // 2
    order = torch.randperm(len(real), generator=torch.Generator().manual_seed(0))
    names = [*scores(real[:100], real[100:200], judge), "train s"]
    print(f"| system | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    halves = scores(real[order[:half]], real[order[half:]], judge)
    print(row(f"real halves ({half} each)", {k: [v] for k, v in halves.items()}) + " - |")
    for name, fake in baselines(real).items():
        print(row(name, {k: [v] for k, v in scores(real, fake, judge).items()}) + " - |")
    for system in arguments.systems:
        columns: dict[str, list[float]] = {name: [] for name in names}
        for seed in range(arguments.seeds):
            out = arguments.out / f"{system}-{seed}"
            recipe = zerosum.recipe(f"{system}/digits").override({"train.seed": seed})
            if not (out / "samples.png").exists():
                zerosum.train(recipe, out=out)
            fake = zerosum.load(out).draw(N, seed=1)["image"].flatten(1)
            values = scores(real, fake, judge)
            values["train s"] = read_run(out)[2].state["elapsed"]
            for name, value in values.items():
                columns[name].append(value)
        print(row(f"{system} ({arguments.seeds} seeds)", columns), flush=True)


if __name__ == "__main__":
    main()
