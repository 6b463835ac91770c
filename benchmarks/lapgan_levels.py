"""What each level of a lapgan adds, on whole samples: a picture with a panel per level.

    python benchmarks/lapgan_levels.py RUN --out docs/pictures/models/lapgan_levels.png

The top panel holds the smallest images. Each panel below has three rows: the level below,
`upsampled`; the `residual` that the level's generator adds, 0 being mid-grey; their sum, the
`result`. A column is one sample. How large the bands are, generated and real, is printed.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn.functional import interpolate

import zerosum
from zerosum.data.source import Source
from zerosum.files import atomic
from zerosum.modalities.images.pictures import grid
from zerosum.models.images.lapgan import LAPGAN, double

SIDE, GAP, MARGIN = 64, 4, 130
"""Pixels of an image, between two, and of the names at the left."""


def rows(levels: list[Tensor]) -> list[tuple[str, Tensor]]:
    """Names and images (N, C, h, w) of the picture's rows, the smallest level first."""
    found = [(f"{size(levels[0])} result", levels[0])]
    for below, whole in pairwise(levels):
        upsampled = double(below)
        parts = {"upsampled": upsampled, "residual": whole - upsampled, "result": whole}
        found += [(f"{size(whole)} {name}", images) for name, images in parts.items()]
    return found


def size(images: Tensor) -> str:
    return f"{images.shape[3]}x{images.shape[2]}"


def picture(found: list[tuple[str, Tensor]]) -> Image.Image:
    """The rows under one another, images of all levels shown at one size, names at the left."""
    largest = found[-1][1]
    factor = -(-SIDE // largest.shape[3])
    shape = (largest.shape[2] * factor, largest.shape[3] * factor)
    stack = [interpolate(images, shape, mode="nearest") for _, images in found]
    sheet = grid(torch.cat(stack), columns=len(largest), gap=GAP)
    paper = Image.new(sheet.mode, (sheet.width + MARGIN, sheet.height), "white")
    paper.paste(sheet, (MARGIN, 0))
    pen = ImageDraw.Draw(paper)
    for row, (name, _) in enumerate(found):
        middle = row * (shape[0] + GAP) + shape[0] // 2
        pen.text((MARGIN - 10, middle), name, fill="black", anchor="rm", font_size=13)
    return paper


def bands(levels: list[Tensor]) -> list[float]:
    """Root mean square of each level's band."""
    pairs = pairwise(levels)
    return [float((whole - double(below)).square().mean().sqrt()) for below, whole in pairs]


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", help="a run of lapgan, or an exported model")
    parser.add_argument("--out", type=Path, default=Path("lapgan_levels.png"))
    parser.add_argument("-n", type=int, default=12, help="samples, one a column")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    loaded = zerosum.load(arguments.run, device="cpu")
    game, data = loaded.game, loaded.recipe.data.open().train
    if not isinstance(game, LAPGAN) or not isinstance(data, Source):
        parser.error(f"{arguments.run} is no lapgan of images that can be counted")

    count = min(1_000, len(data))
    levels = game.climb(game.latent(count, torch.Generator().manual_seed(arguments.seed)))
    shown = [images[: arguments.n] for images in levels]
    with atomic(arguments.out) as partial:
        picture(rows(shown)).save(partial, format="PNG", optimize=True)
    print(f"wrote {arguments.out}")

    reals = game.pyramid(data.finished(range(count))["image"])
    print(f"root mean square of the bands of {count:,} images, generated and real:")
    for level, fake, real in zip(levels[1:], bands(levels), bands(reals)):
        print(f"{size(level)}: {fake:.3f}, {real:.3f}")


if __name__ == "__main__":
    main()
