"""Pictures for people: sheets, spectra, nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from zerosum.data.fields import Batch
from zerosum.metrics import nearest_neighbours, radial_spectrum
from zerosum.modalities.images.pictures import as_large, grid, sheet_side
from zerosum.plots import FAKE, REAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def columns_for(shape: tuple[int, ...]) -> int:
    """Images (C, H, W) in a row of a square sheet: many small ones, few large ones."""
    longest = max(shape[1:])
    return next((count for side, count in ((32, 10), (64, 8), (128, 6)) if longest <= side), 4)


def image_sheet(samples: Batch, real: Batch, columns: int) -> Image.Image:
    """A grid of images; where they answer inputs, rows of input, answer and truth, and after the
    input the garment where it was given too."""
    images = samples["image"].cpu()
    if "input" in samples:
        columns = max(2, columns // 3)
        given = _like(samples["input"].cpu(), images)
        truth = _like(real["image"].cpu(), images) if "image" in real else images[:0]
        count = min(len(images), 8 * columns)
        garments = [samples["garment"].cpu()[:count]] if "garment" in samples else []
        triples = [given[:count], *garments, images[:count]]
        triples += [truth[:count]] if len(truth) else []
        images = torch.stack([part[: len(triples[-1])] for part in triples], 1).flatten(0, 1)
        columns *= len(triples)
    return grid(images, columns, side=sheet_side(images, columns), gap=4)


def _like(images: Tensor, other: Tensor) -> Tensor:
    """Images with as many channels and pixels as others, grey ones repeated."""
    images = as_large(images, other)
    return images.expand(-1, other.shape[1], -1, -1) if images.shape[1] == 1 else images


def spectra(real: Tensor, fake: Tensor) -> Callable[[Axes], None]:
    """Radial power spectra of real and generated images (N, C, H, W)."""

    def draw(axis: Axes) -> None:
        for images, name, colour in ((real, "real", REAL), (fake, "generated", FAKE)):
            found = radial_spectrum(images)
            x = found.frequency[1:]
            axis.plot(x, found.power[1:], color=colour, label=name, marker="o", ms=3)
            axis.fill_between(x, found.low[1:], found.high[1:], color=colour, alpha=0.2, lw=0)
        axis.set_yscale("log")
        axis.set_xlabel("cycles per pixel")
        axis.legend(fontsize=8, frameon=False)
        axis.grid(alpha=0.25)

    return draw


def neighbours(fake: Tensor, train: Tensor, count: int = 8) -> Image.Image:
    """Generated images, each above the training image nearest to it by pixels.

    Args:
        fake: (N, C, H, W); the ones nearest to the training images are shown.
        train: (M, C, H, W).
        count: Columns.
    """
    found = nearest_neighbours(fake.flatten(1), train.flatten(1), 1)
    closest = found.distances[:, 0].argsort()[:count]
    twins = train[found.indices[closest, 0]]
    both = torch.cat([fake[closest], twins])
    return grid(both, count, side=max(48, 400 // count), gap=4)
