"""Try-on beside what needs no network or half of one, on outfits held out.

    python benchmarks/tryon.py runs/tryon --sheet tryon.png

Methods: the garment stretched into the box of the torso and laid on, unbent; the garment that the
model's matcher bends, laid on; the model. `worn` is the mean difference where the garment is seen
in truth. One row for each method; the sheet shows person, garment, these three and the truth.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from zerosum.core.draw import sampling
from zerosum.data.source import Source
from zerosum.files import atomic
from zerosum.losses.reconstruction import l1
from zerosum.modalities.images.dressed import GIVEN, pasted
from zerosum.modalities.images.paired_scores import paired_l1, paired_psnr, paired_ssim
from zerosum.modalities.images.pairs import beside
from zerosum.modalities.images.pictures import grid
from zerosum.models.translation.tryon import TryOn, composed
from zerosum.pipelines.generate import Generator


@torch.no_grad()
def answers(game: TryOn, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Answers (N, C, H, W) by method."""
    given = {name: batch[name] for name in GIVEN}
    with sampling(game):
        bent, shape = game.bent(given)
        laid = composed(bent, given["input"], (shape + 1) / 2)
        made = game.answered(given)["image"]
    return {"pasted unbent": pasted(given), "pasted bent": laid, "tryon": made}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--sheet", type=Path, help="a picture of twelve outfits of the last run")
    asked = parser.parse_args()
    shown: list[Tensor] = []
    print("| run | seed | method | l1 x 1000 | worn x 1000 | psnr | ssim |")
    print("|---|---|---|---|---|---|---|")
    for run in asked.runs:
        generator = Generator.load(run, device="cpu")
        game, held = generator.game, generator.open().heldout
        assert isinstance(game, TryOn) and isinstance(held, Source)
        batch = held.finished(range(len(held)))
        truth, where = batch["image"], (batch["worn"] + 1) / 2
        found = answers(game, batch)
        for name, made in found.items():
            near, db, alike = (
                score(real=truth, fake=made).value
                for score in (paired_l1, paired_psnr, paired_ssim)
            )
            worn = float(l1(made, truth, where)) / 2
            words = f"{1000 * near:.1f} | {1000 * worn:.1f} | {db:.2f} | {alike:.4f}"
            print(f"| {run.name} | {generator.recipe.train.seed} | {name} | {words} |", flush=True)
        columns = (batch["input"], batch["garment"], *found.values(), truth)
        shown = [column[:12] for column in columns]
    if asked.sheet is not None:
        sheet = grid(beside(*shown), 2 * len(shown), side=64, gap=4)
        with atomic(asked.sheet) as partial:
            sheet.save(partial, format="PNG")


if __name__ == "__main__":
    main()
