"""Images: tensors in [-1, 1] to pixels and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor
from torch.nn.functional import interpolate

STAMP_WITHIN = 256
"""First bytes of a PNG file in which the stamp of `save_stamped` stands."""

_KEY, _WORD = "Software", "zerosum"  # a keyword of the PNG standard


def save_stamped(picture: Image.Image, path: Path, profile: bytes | None = None) -> None:
    """Write a PNG file that says of itself that it was generated.

    Args:
        picture: What is written.
        path: Where to.
        profile: Its ICC profile; None for none.
    """
    stamp = PngInfo()
    stamp.add_text(_KEY, _WORD)
    picture.save(path, format="PNG", pnginfo=stamp, icc_profile=profile)


def is_stamped(start: bytes) -> bool:
    """Whether the first bytes of a file are those that `save_stamped` writes."""
    return f"tEXt{_KEY}\0{_WORD}".encode() in start


def to_uint8(images: Tensor) -> Tensor:
    """Images (N, C, H, W) in [-1, 1] as uint8 0 .. 255, rounded and clipped."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def to_array(images: Tensor) -> np.ndarray:
    """Images (N, C, H, W) in [-1, 1] as a uint8 array (N, H, W, C)."""
    return to_uint8(images).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def to_pictures(images: Tensor) -> list[Image.Image]:
    """Images (N, C, H, W) in [-1, 1] as pictures: grey for C = 1, RGB for 3, RGBA for 4.

    Raises:
        ValueError: Another number of channels.
    """
    if images.shape[1] not in (1, 3, 4):
        raise ValueError(f"a picture has 1, 3 or 4 channels, not {images.shape[1]}")
    arrays = to_array(images)
    return [Image.fromarray(a.squeeze(-1) if a.shape[-1] == 1 else a) for a in arrays]


def as_large(images: Tensor, other: Tensor) -> Tensor:
    """Images (N, C, h, w) with the height and width of others, each pixel repeated."""
    size = tuple(other.shape[-2:])
    return images if images.shape[-2:] == size else interpolate(images, size)


def grid(images: Tensor, columns: int, side: int = 0, gap: int = 2) -> Image.Image:
    """Lay images out in rows.

    Args:
        images: (N, C, H, W) in [-1, 1].
        columns: Images in a row.
        side: Enlarge each by a whole factor until its longer side has about so many pixels.
        gap: Pixels between two images, after enlargement.
    """
    pictures = to_pictures(images)
    width, height = pictures[0].size
    factor = max(1, round(side / max(width, height))) if side else 1
    width, height = width * factor, height * factor
    rows = -(-len(pictures) // columns)
    mode = pictures[0].mode
    paper = 255 if mode == "L" else (255,) * len(mode)
    sheet = Image.new(
        mode, (columns * (width + gap) - gap, rows * (height + gap) - gap), color=paper
    )
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        if factor > 1:
            picture = picture.resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(picture, (column * (width + gap), row * (height + gap)))
    return sheet


def sheet_side(images: Tensor, columns: int) -> int:
    """A displayed side at which small images can be judged and a sheet stays near 1000 px."""
    return max(32, 1000 // columns) if max(images.shape[-2:]) < 64 else 0
