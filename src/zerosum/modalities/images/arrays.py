"""Pictures in numpy files: .npz and .npy of any common layout and number type."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zerosum.data.parts import HELDOUT_NAMES, TRAIN_NAMES
from zerosum.data.pixels import Framing, Pixels, sixteen_to_eight
from zerosum.errors import UserError
from zerosum.modalities.images.archives import damaged
from zerosum.modalities.images.gallery import (
    Gallery,
    Numbered,
    Pictures,
    from_values,
)

IMAGE_KEYS = ("images", "image", "x", "data", "samples", "imgs", "arr_0")
LABEL_KEYS = ("labels", "label", "y", "targets", "target", "classes", "class", "category", "arr_1")

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_CHUNK = 1024  # pictures looked at together when a value range is measured


class ArrayPictures(Pictures):
    """Pictures of one size in an array.

    Args:
        array: (N, H, W), (N, H, W, C) or (N, C, H, W) with C of 1, 3 or 4.
        name: What to call the set in messages.
        path: The .npy file that the array is mapped from, if it is; workers map it anew instead
            of being sent all of it.

    Raises:
        UserError: The shape or the values are not those of pictures.
    """

    def __init__(self, array: np.ndarray, *, name: str, path: Path | None = None) -> None:
        self._array = array
        self._path = path
        self._channel_axis = _channel_axis(array.shape, name)
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
        pixels = self._chw(numbers)
        return np.repeat(pixels, 3, axis=1) if framing.channels > self.channels else pixels

    def _chw(self, numbers: Sequence[int]) -> Pixels:
        """Pictures by number as uint8 (n, C, H, W)."""
        values = self._array[np.asarray(numbers, dtype=np.int64)]
        if self._channel_axis is None:
            values = values[:, None]
        elif self._channel_axis == 3:
            values = values.transpose(0, 3, 1, 2)
        return _to_uint8(values, self._scale)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_array": self._array if self._path is None else None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self._path is not None:
            self._array = np.load(self._path, mmap_mode="r", allow_pickle=False)


def _channel_axis(shape: tuple[int, ...], name: str) -> int | None:
    if 0 in shape:
        raise UserError(f"{name} holds no pictures: its shape is {shape}")
    if len(shape) == 3:
        return None
    last, first = shape[-1] in _MODES, len(shape) == 4 and shape[1] in _MODES
    if len(shape) == 4 and last != first:
        return 3 if last else 1
    why = (
        "fits both (N, H, W, C) and (N, C, H, W)" if last and first else "is not that of pictures"
    )
    raise UserError(
        f"{name} has shape {shape}, which {why}: save it as (N, H, W, C), C = 1, 3 or 4"
    )


def _value_scale(array: np.ndarray, name: str) -> tuple[str, str]:
    """What the numbers mean (a word for `_to_uint8`) and a note about it."""
    kind = array.dtype
    if kind == np.uint8:
        return "bytes", ""
    if kind == np.bool_:
        return "unit", "bool pixels: False is black, True is white"
    if kind == np.uint16:
        return "sixteen", "uint16 pixels scaled from 0..65535"
    if not (np.issubdtype(kind, np.floating) or np.issubdtype(kind, np.integer)):
        raise UserError(f"{name} holds {kind}, not pixels: save it as uint8")
    low, high = np.inf, -np.inf
    for start in range(0, len(array), _CHUNK):
        part = array[start : start + _CHUNK]
        if not np.isfinite(part).all():
            raise UserError(f"{name} holds pixels that are not finite: replace NaN and infinity")
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    found = f"{low:g}..{high:g}"
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


def open_array(path: Path) -> Gallery:
    """The pictures, labels and parts of a .npz or .npy file.

    Raises:
        UserError: The file is damaged or holds no pictures.
    """
    try:
        if path.suffix.lower() == ".npy":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            pictures = ArrayPictures(array, name=path.name, path=path)
            notes = (pictures.note,) if pictures.note else ()
            return Gallery(path.stem, pictures, range(len(pictures)), notes=notes)
        with np.load(path, allow_pickle=False) as file:
            shapes = {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise damaged(path, error) from error
    return _from_keys(shapes, path)


def _part(arrays: Mapping[str, np.ndarray], words: Sequence[str]) -> dict[str, np.ndarray]:
    """Arrays named `train_images` or `x_train`, by the rest of their names."""
    for word in words:
        found = {
            key.lower().replace(word, "").strip("_-. "): value
            for key, value in arrays.items()
            if word in key.lower().replace("-", "_").replace(".", "_").split("_")
        }
        if _image_key(found):
            return found
    return {}


def _image_key(arrays: Mapping[str, np.ndarray]) -> str | None:
    """The key that holds the pictures: a known name, else the only array shaped like them."""
    fitting = [key for key, value in arrays.items() if value.ndim in (3, 4)]
    named = [key for key in IMAGE_KEYS if key in (k.lower() for k in fitting)]
    if named:
        return next(key for key in fitting if key.lower() == named[0])
    return fitting[0] if len(fitting) == 1 else None


def _label_values(arrays: Mapping[str, np.ndarray], count: int) -> np.ndarray | None:
    lowered = {key.lower(): value for key, value in arrays.items()}
    for key in LABEL_KEYS:
        value = lowered.get(key)
        if value is not None and value.size == count == len(value) and value.dtype.kind in "iubU":
            return value.reshape(-1)
    return None


def _from_keys(arrays: Mapping[str, np.ndarray], path: Path) -> Gallery:
    train, held = _part(arrays, TRAIN_NAMES), _part(arrays, HELDOUT_NAMES)
    parts = [train, held] if train and held else [arrays]
    keys = [_image_key(part) for part in parts]
    stacks = [part[key] for part, key in zip(parts, keys) if key is not None]
    if len(stacks) < len(parts):
        listed = ", ".join(f"{key} {value.shape}" for key, value in arrays.items())
        raise UserError(
            f"{path} has no array that is clearly the pictures (found {listed}): "
            "name it images, with shape (N, H, W, C)"
        )
    values = [_label_values(part, len(stack)) for part, stack in zip(parts, stacks)]
    found = [value for value in values if value is not None]
    labels, classes = (
        from_values(np.concatenate(found)) if len(found) == len(parts) else (None, ())
    )
    if len({(stack.shape[1:], stack.dtype) for stack in stacks}) > 1:
        raise UserError(f"{path}: its parts differ in shape or type: save them alike")
    pictures = ArrayPictures(
        stacks[0] if len(stacks) == 1 else np.concatenate(stacks), name=path.name
    )
    notes = (pictures.note,) if pictures.note else ()
    if len(parts) == 1:
        return Gallery(path.stem, pictures, range(len(pictures)), labels, classes, notes=notes)
    first = len(stacks[0])
    word = next(word for word in HELDOUT_NAMES if _part(arrays, (word,)))
    return Gallery(
        path.stem,
        pictures,
        range(first),
        labels,
        classes,
        range(first, len(pictures)),
        f"the set's own {word} part ({len(stacks[1]):,})",
        notes,
    )
