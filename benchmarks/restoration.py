"""Restoration beside what needs no network, on pictures held out.

    python benchmarks/restoration.py runs/sr-0 runs/sr-1 runs/sr-2

Super-resolution: both phases of a run, on all its held-out crops, beside bicubic enlargement.
Inpainting: a run beside the mean and the biharmonic filling. `kd` and `perceptual` are on
features of EfficientNet-Lite0, whose weights must be here. One row for each (run, method).
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

from zerosum.core.draw import draw
from zerosum.data.source import Source
from zerosum.metrics import kernel_distance
from zerosum.modalities.images.extractors.lite0 import Lite0Extractor
from zerosum.modalities.images.masks import fillings
from zerosum.modalities.images.paired_scores import (
    enlarged,
    paired_l1,
    paired_perceptual,
    paired_psnr,
    paired_ssim,
)
from zerosum.modalities.images.sized import AnySize
from zerosum.pipelines.generate import Generator


def answers(generator: Generator, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Answers (N, C, H, W) to inputs, by method."""
    given = inputs["input"]
    if "mask" in inputs:
        made = draw(generator.game, len(given), 0, inputs)["image"].cpu()
        return fillings(given, inputs["mask"]) | {generator.recipe.system: made}
    game = generator.game
    assert isinstance(game, AnySize)
    scale = game.sight().scale
    size = (given.shape[2] * scale, given.shape[3] * scale)
    found = {"bicubic": enlarged(given, size)}
    for name, strength in (("first phase", 0.0), ("half", 0.5), ("game", 1.0)):
        options = generator.options({"strength": strength})
        made = draw(generator.game, len(given), 0, {"input": given}, options)["image"]
        found[name] = made.clamp(-1, 1).cpu()
    return found


def features(pictures: Tensor, extractor: Lite0Extractor) -> Tensor:
    return torch.cat([extractor(part) for part in pictures.split(64)])


def main(runs: list[str]) -> None:
    print("| run | seed | method | kd x 1000 | perceptual | psnr | ssim | l1 x 1000 |")
    print("|---|---|---|---|---|---|---|---|")
    for run in runs:
        generator = Generator.load(Path(run))
        held = generator.open().heldout
        assert isinstance(held, Source)
        batch = held.finished(range(len(held)))
        truth = batch["image"]
        extractor = Lite0Extractor()
        real = features(truth, extractor)
        inputs = {name: batch[name] for name in generator.game.inputs()}
        for name, made in answers(generator, inputs).items():
            kd = kernel_distance(real=real, fake=features(made, extractor)).value * 1000
            scores = [
                score(real=truth, fake=made).value
                for score in (paired_perceptual, paired_psnr, paired_ssim, paired_l1)
            ]
            near = f"{scores[1]:.2f} | {scores[2]:.4f} | {1000 * scores[3]:.1f}"
            words = f"{kd:.1f} | {scores[0]:.4f} | {near}"
            seed = generator.recipe.train.seed
            print(f"| {Path(run).name} | {seed} | {name} | {words} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
