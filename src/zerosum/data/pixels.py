"""From one picture of any kind to uint8 pixels of the asked size and channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Resize = Literal["crop", "pad", "fit"]
Filter = Literal["lanczos", "box", "bicubic", "bilinear", "nearest"]
Pixels = NDArray[np.uint8]

# Modes whose pictures are grey whatever their pixels; others may still turn out grey.
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})

_FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
}
_ORIENTATION = 0x0112  # the EXIF tag; values 5 to 8 swap height and width


def header(image: Image.Image) -> tuple[tuple[int, int], str]:
    """Upright (height, width) and mode of a picture that is opened but not decoded."""
    width, height = image.size
    if image.getexif().get(_ORIENTATION) in (5, 6, 7, 8):
        width, height = height, width
    return (height, width), image.mode


def plain(image: Image.Image) -> Image.Image:
    """The upright picture in one of four modes: L, LA, RGB, RGBA, 8 bits each.

    Raises:
        ValueError: Values outside what the mode can mean, such as a float picture beyond [0, 1].
        OSError: The file is damaged.
    """
    image = ImageOps.exif_transpose(image)
    mode = image.mode
    if mode in ("L", "RGB") and "transparency" in image.info:
        return image.convert("LA" if mode == "L" else "RGBA")
    if mode in ("L", "LA", "RGB", "RGBA"):
        return image
    if mode == "1":
        return image.convert("L")
    if mode.startswith("I") or mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image), mode))
    if mode in ("P", "PA"):
        return image.convert("RGBA" if mode == "PA" or "transparency" in image.info else "RGB")
    return image.convert({"La": "LA", "RGBa": "RGBA"}.get(mode, "RGB"))


def _eight_bits(values: NDArray, mode: str) -> Pixels:
    low, high = values.min(), values.max()
    if mode == "F":
        if not (low >= 0 and high <= 1):
            raise ValueError(
                f"float pixels must lie in 0..1, found {low:g}..{high:g}: rescale them, or save "
                "8 or 16 bits"
            )
        return np.rint(values * 255).astype(np.uint8)
    if low < 0 or high > 65535:
        raise ValueError(f"integer pixels must lie in 0..65535, found {low}..{high}")
    return sixteen_to_eight(values)


def sixteen_to_eight(values: NDArray) -> Pixels:
    """Scale 0..65535 to 0..255, rounding to the nearest."""
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def over_white(image: Image.Image) -> Image.Image:
    """Lay an LA or RGBA picture over white; others are returned as they are."""
    if image.mode not in ("LA", "RGBA"):
        return image
    values = np.asarray(image).astype(np.uint32)
    colour, alpha = values[..., :-1], values[..., -1:]
    mixed = ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return Image.fromarray(mixed[..., 0] if image.mode == "LA" else mixed)


@dataclass(frozen=True)
class Framing:
    """How every picture of a set is brought to one shape.

    Attributes:
        size: (height, width) in pixels.
        channels: 1 grey, 3 RGB, 4 RGBA. Without an alpha channel, transparency becomes white.
        resize: crop = fill the frame and cut what stands out, from the centre; pad = show
            everything and fill with black (transparent where there is alpha); fit = stretch.
        filter: Resampling filter. Reduction is anti-aliased with all but nearest.
    """

    size: tuple[int, int]
    channels: int
    resize: Resize = "crop"
    filter: Filter = "lanczos"

    def __call__(self, image: Image.Image) -> Pixels:
        """Pixels (channels, height, width) of a picture.

        Raises:
            ValueError, OSError: As `plain`.
        """
        image = plain(image)
        if self.channels == 4:
            image = image.convert("RGBA")
        else:
            image = over_white(image).convert("L" if self.channels == 1 else "RGB")
        pixels = np.asarray(self._resized(image))
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)

    def _resized(self, image: Image.Image) -> Image.Image:
        height, width = self.size
        if image.size == (width, height):
            return image
        sampler = _FILTERS[self.filter]
        scales = width / image.width, height / image.height
        if self.resize == "pad":
            scale = min(scales)
            inner = (
                min(width, max(1, round(image.width * scale))),
                min(height, max(1, round(image.height * scale))),
            )
            canvas = Image.new(image.mode, (width, height))
            corner = (width - inner[0]) // 2, (height - inner[1]) // 2
            canvas.paste(image.resize(inner, sampler), corner)
            return canvas
        box = (0.0, 0.0, float(image.width), float(image.height))
        if self.resize == "crop":
            scale = max(scales)
            # rounding must not push the box beyond the picture
            wide = min(image.width, width / scale)
            high = min(image.height, height / scale)
            left, top = (image.width - wide) / 2, (image.height - high) / 2
            box = (left, top, left + wide, top + high)
        return image.resize((width, height), sampler, box=box)
