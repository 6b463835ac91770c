"""Pictures in arrays of any common layout and number type."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from zerosum.data.pixels import Framing, Pixels, sixteen_to_eight
from zerosum.errors import UserError
from zerosum.modalities.images.gallery import Numbered, Pictures
from zerosum.modalities.images.numpy_files import Stacked

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_AT_ONCE = 2**23  # values that are looked at or converted together


class ArrayPictures(Pictures):
    """Pictures of one size in an array.

    Args:
        array: (N, H, W), (N, H, W, C) or (N, C, H, W) with C of 1, 3 or 4.
        name: What to call the set in messages.

    Raises:
        UserError: The shape or the values are not those of pictures.
    """

    def __init__(self, array: np.ndarray | Stacked, *, name: str) -> None:
        self._array = array
        self._channel_axis = channel_axis(array.shape, name)
        self._scale, self.note = _value_scale(array, name)
        self.names = Numbered(name, len(array))
        kept = [n for axis, n in enumerate(array.shape) if axis not in (0, self._channel_axis)]
        self.size = (kept[0], kept[1])
        self.channels = 1 if self._channel_axis is None else array.shape[self._channel_axis]

    def probe(self, number: int) -> tuple[tuple[int, int], str]:
        return self.size, _MODES[self.channels]

    def image(self, number: int) -> Image.Image:
        pixels = self._chw([number])[0]
        if self.channels == 1:
            return Image.fromarray(pixels[0])
        return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))

    def bulk(self, numbers: Sequence[int], framing: Framing) -> Pixels | None:
        if framing.size != self.size:
            return None
        if framing.channels != self.channels and (self.channels, framing.channels) != (1, 3):
            return None
        pixels = np.empty((len(numbers), framing.channels, *framing.size), dtype=np.uint8)
        step = _step(self._array)
        for start in range(0, len(numbers), step):
            # grey pictures are spread over three channels by broadcasting
            pixels[start : start + step] = self._chw(numbers[start : start + step])
        return pixels

    def _chw(self, numbers: Sequence[int]) -> Pixels:
        """Pictures by number as uint8 (n, C, H, W)."""
        values = self._array[np.asarray(numbers, dtype=np.int64)]
        if self._channel_axis is None:
            values = values[:, None]
        elif self._channel_axis == 3:
            values = values.transpose(0, 3, 1, 2)
        return _to_uint8(values, self._scale)


def _step(array: np.ndarray | Stacked) -> int:
    """Pictures to be taken together, so that conversions take little memory."""
    return max(1, _AT_ONCE // max(1, math.prod(array.shape[1:])))


def channel_axis(shape: tuple[int, ...], name: str) -> int | None:
    """The axis of the channels in a shape of pictures; None where they are grey.

    Raises:
        UserError: It is not that of pictures, or there are none.
    """
    if 0 in shape:
        raise UserError(f"{name} holds no pictures: its shape is {shape}")
    if len(shape) == 3:
        return None
    last, first = len(shape) == 4 and shape[-1] in _MODES, len(shape) == 4 and shape[1] in _MODES
    if last != first:
        return 3 if last else 1
    why = (
        "fits both (N, H, W, C) and (N, C, H, W)" if last and first else "is not that of pictures"
    )
    raise UserError(
        f"{name} has shape {shape}, which {why}: save it as (N, H, W, C), C = 1, 3 or 4"
    )


def _value_scale(array: np.ndarray | Stacked, name: str) -> tuple[str, str]:
    """What the numbers mean (a word for `_to_uint8`) and a note about it."""
    kind = array.dtype.newbyteorder("=")
    if kind == np.uint8:
        return "bytes", ""
    if kind == np.bool_:
        return "unit", "bool pixels: False is black, True is white"
    if not (np.issubdtype(kind, np.floating) or np.issubdtype(kind, np.integer)):
        raise UserError(f"{name} holds {kind}, not pixels: save it as uint8")
    low, high = np.inf, -np.inf
    step = _step(array)
    for start in range(0, len(array), step):
        part = array[start : start + step]
        if not np.isfinite(part).all():
            raise UserError(f"{name} holds pixels that are not finite: replace NaN and infinity")
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    found = f"{low:g}..{high:g}"
    wide = kind == np.uint16
    if np.issubdtype(kind, np.integer) and low >= 0 and 0 < high <= (255 if wide else 1):
        meant = "0..255 or 0..65535" if wide else "0..255 or 0..1"
        raise UserError(
            f"{name} holds {kind} from {found}, which may mean {meant}: save it as uint8, scaled "
            "to 0..255"
        )
    if wide:
        return "sixteen", "uint16 pixels scaled from 0..65535"
    if np.issubdtype(kind, np.integer) and low >= 0 and high <= 255:
        return "bytes", f"{kind} pixels taken as 0..255 (found {found})"
    if np.issubdtype(kind, np.floating) and low >= 0 and high <= 1:
        return "unit", f"{kind} pixels taken as 0..1 (found {found})"
    if np.issubdtype(kind, np.floating) and low >= -1 and high <= 1:
        return "signed", f"{kind} pixels taken as -1..1 (found {found})"
    raise UserError(
        f"{name} holds {kind} from {found}: pixels must be uint8, uint16, bool, "
        "or float in 0..1 or -1..1; rescale it"
    )


def _to_uint8(values: np.ndarray, scale: str) -> Pixels:
    if scale == "sixteen":
        return sixteen_to_eight(values)
    if scale == "unit":
        return np.rint(values.astype(np.float64) * 255).astype(np.uint8)
    if scale == "signed":
        return np.rint((values.astype(np.float64) + 1) * 127.5).astype(np.uint8)
    return np.ascontiguousarray(values, dtype=np.uint8)
