"""Holes in pictures, drawn at random: boxes, thin strokes, and wide ones.

Suvorov et al. 2022, "Resolution-robust large mask inpainting with Fourier convolutions",
arXiv:2109.07161, section 2.4: wide masks are polygonal chains with thick brushes, or boxes of any
proportions. Sizes are shares of the picture's shorter side: they mean the same at any size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

MaskName = Literal["boxes", "strokes", "wide"]
Mask = NDArray[np.bool_]
"""(H, W), true where the hole is."""

MOST = 0.8
"""Largest share of a picture that may be hole; a mask beyond it is drawn anew."""


@dataclass(frozen=True)
class Chains:
    """How polygonal chains are drawn; pairs are the least and the greatest value.

    Attributes:
        count: Chains.
        corners: Of each.
        length: Of a step, as a share of the shorter side.
        width: Of the brush, as a share of the shorter side.
    """

    count: tuple[int, int]
    corners: tuple[int, int]
    length: tuple[float, float]
    width: tuple[float, float]


THIN = Chains((1, 4), (2, 6), (0.1, 0.4), (0.02, 0.06))
THICK = Chains((1, 3), (1, 4), (0.15, 0.5), (0.1, 0.25))


def boxes(size: tuple[int, int], rng: np.random.Generator) -> Mask:
    """One to three boxes, each side 0.15 to 0.5 of the picture's."""
    mask = np.zeros(size, dtype=bool)
    for _ in range(rng.integers(1, 4)):
        sides = [max(1, round(side * rng.uniform(0.15, 0.5))) for side in size]
        top, left = (int(rng.integers(0, whole - side + 1)) for whole, side in zip(size, sides))
        mask[top : top + sides[0], left : left + sides[1]] = True
    return mask


def chains(size: tuple[int, int], rng: np.random.Generator, how: Chains) -> Mask:
    """Polygonal chains that begin anywhere."""
    height, width = size
    short = min(size)
    canvas = Image.new("L", (width, height))
    pen = ImageDraw.Draw(canvas)
    for _ in range(rng.integers(how.count[0], how.count[1] + 1)):
        at = np.array([rng.uniform(0, width), rng.uniform(0, height)])
        brush = max(1.0, short * rng.uniform(*how.width))
        for _ in range(rng.integers(how.corners[0], how.corners[1] + 1)):
            angle, length = rng.uniform(0, 2 * np.pi), short * rng.uniform(*how.length)
            to = at + length * np.array([np.cos(angle), np.sin(angle)])
            to = to.clip(0, [width - 1, height - 1])
            pen.line([*at, *to], fill=255, width=round(brush))
            for x, y in (at, to):
                half = brush / 2
                pen.ellipse([x - half, y - half, x + half, y + half], fill=255)
            at = to
    return np.asarray(canvas) > 0


def strokes(size: tuple[int, int], rng: np.random.Generator) -> Mask:
    """Thin chains, as scratches and writing are."""
    return chains(size, rng, THIN)


def wide(size: tuple[int, int], rng: np.random.Generator) -> Mask:
    """Thick chains or boxes, each as likely."""
    return chains(size, rng, THICK) if rng.random() < 0.5 else boxes(size, rng)


MASKS: Mapping[str, Callable[[tuple[int, int], np.random.Generator], Mask]] = {
    "boxes": boxes,
    "strokes": strokes,
    "wide": wide,
}
assert set(MASKS) == set(get_args(MaskName))


def drawn(name: MaskName, size: tuple[int, int], word: int) -> Mask:
    """A mask of some kind, a pure function of a 64-bit number; neither empty nor nearly all."""
    rng = np.random.Generator(np.random.Philox(key=word))
    while True:
        mask = MASKS[name](size, rng)
        if 0 < mask.mean() <= MOST:
            return mask


def filled_with_mean(pictures: NDArray, mask: Mask) -> NDArray:
    """A picture (C, H, W) whose hole has the mean colour of the rest."""
    filled = pictures.copy()
    filled[:, mask] = pictures[:, ~mask].mean(1, keepdims=True)
    return filled


def biharmonic(picture: NDArray, mask: Mask) -> NDArray:
    """A picture (C, H, W) whose hole is as smooth as a bent plate: the Laplacian of the Laplacian
    is 0 in it (Damelin and Hoang 2018, "On surface completion and image inpainting by biharmonic
    functions").

    Beyond the picture its edge is repeated. Solved exactly, by sparse elimination.
    """
    from scipy.sparse import csr_array, eye_array
    from scipy.sparse.linalg import spsolve

    height, width = mask.shape
    number = np.arange(height * width).reshape(height, width)
    large = np.pad(number, 1, mode="edge")
    neighbours = [large[:-2, 1:-1], large[2:, 1:-1], large[1:-1, :-2], large[1:-1, 2:]]
    count = height * width
    rows = np.tile(number.ravel(), 4)
    columns = np.concatenate([one.ravel() for one in neighbours])
    around = csr_array((np.ones(len(rows)), (rows, columns)), shape=(count, count))
    laplacian = around - 4.0 * eye_array(count)
    plate = csr_array(laplacian @ laplacian)
    hole = mask.ravel().nonzero()[0]
    rest = (~mask).ravel().nonzero()[0]
    inside = plate[hole]
    values = picture.reshape(len(picture), -1).astype(np.float64)
    answer = values.copy()
    right = -(inside[:, rest] @ values[:, rest].T)
    answer[:, hole] = spsolve(inside[:, hole].tocsc(), right).reshape(len(hole), -1).T
    return answer.reshape(picture.shape).astype(picture.dtype)


def fillings(pictures: Tensor, masks: Tensor) -> dict[str, Tensor]:
    """Pictures (N, C, H, W) whose holes are filled by no network, by method.

    Args:
        pictures: In [-1, 1].
        masks: (N, 1, H, W), above 0 where the hole is.
    """
    holes = (masks[:, 0] > 0).cpu().numpy()
    found = {}
    for name, fill in (("mean filled", filled_with_mean), ("biharmonic", biharmonic)):
        made = [fill(one, hole) for one, hole in zip(pictures.cpu().numpy(), holes)]
        found[name] = torch.from_numpy(np.stack(made)).clamp(-1, 1)
    return found
