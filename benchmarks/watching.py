"""What the doctor costs: trainings that are watched against the same ones that are not.

    python benchmarks/watching.py --pairs 3

Processor time of whole trainings, in pairs that swap who goes first; the weights at the end are
compared too, since watching must not change them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from zerosum.core.registry import recipe
from zerosum.training.trainer import Trainer

LENGTHS = {
    "toy/ring": 500_000,
    "rpgan/digits": 60_000,
    "dcgan/digits": 100_000,
    "dcgan/fashion": 40_000,
}


def trained(name: str, policy: str) -> tuple[float, torch.Tensor]:
    """Seconds of processor time of one training, and its generator's weights."""
    images = LENGTHS[name]
    short = recipe(name).override(
        {
            "train.examples": images,
            "train.sheet_every": images,
            "train.checkpoint_every": images,
            "evaluate.samples": 0,
            "doctor.policy": policy,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        game = Trainer(short, Path(folder) / "run", device="cpu", quiet=True).fit()
        spent = time.process_time() - begun
    return spent, torch.cat([p.detach().flatten() for p in game.parameters()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    print("| preset | images | unwatched s | watched / unwatched |\n|---|---|---|---|")
    for name, images in LENGTHS.items():
        ratios, alone = [], []
        for pair in range(arguments.pairs):
            order = ("off", "watch") if pair % 2 else ("watch", "off")
            found = {policy: trained(name, policy) for policy in order}
            assert torch.equal(found["off"][1], found["watch"][1]), "watching changed the weights"
            ratios.append(found["watch"][0] / found["off"][0])
            alone.append(found["off"][0])
        middle = statistics.median(ratios)
        span = f"{min(ratios):.3f} to {max(ratios):.3f}"
        print(
            f"| `{name}` | {images:,} | {statistics.median(alone):.1f} | {middle:.3f} ({span}) |"
        )


if __name__ == "__main__":
    main()
