"""Sets in numpy files: which of the arrays are the pictures, which the labels, which the parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zerosum.data.parts import HELDOUT_NAMES, TRAIN_NAMES
from zerosum.errors import UserError
from zerosum.modalities.images.arrays import ArrayPictures, channel_axis
from zerosum.modalities.images.gallery import Gallery
from zerosum.modalities.images.labels import (
    IMAGE_KEYS,
    LABEL_KEYS,
    UnusableError,
    label_values,
    of_parts,
    the_one,
)
from zerosum.modalities.images.numpy_files import Stacked, Stored, plain, stored_arrays
from zerosum.names import first_names

Arrays = Mapping[str, Stored]

_SMALL = 8  # pixels; of a smaller side, nobody means 3 or 4 channels


def open_array(path: Path, memory: float = 2.0) -> Gallery:
    """The pictures, labels and parts of an .npz or .npy file.

    Args:
        path: The file.
        memory: GiB that arrays may take which are compressed and so cannot be read in place.

    Raises:
        UserError: The file is damaged, holds no pictures, or more than one thing could be meant.
    """
    arrays = stored_arrays(path)
    train, held = _part(arrays, TRAIN_NAMES), _part(arrays, HELDOUT_NAMES)
    parts = [part for part in (train, held) if part] or [arrays]
    stacks = [_pictures(part, path, memory) for part in parts]
    for stack in stacks:
        channel_axis(stack.shape, path.name)
    if len({(stack.shape[1:], stack.dtype) for stack in stacks}) > 1:
        raise UserError(f"{path}: its parts differ in shape or type: save them alike")
    found = [_labels(part, stack, memory) for part, stack in zip(parts, stacks)]
    if len(parts) == 1 and found[0].values is None:
        _one_or_many(path, stacks[0].shape)
    pictures = ArrayPictures(Stacked(stacks), name=path.name)
    counts = (stacks[0].shape[0], len(pictures) - stacks[0].shape[0])
    held_values = found[1].values if len(parts) == 2 else None
    labels = of_parts(found[0].values, held_values, counts)
    notes = tuple(dict.fromkeys(note for one in found for note in one.notes)) + labels.notes
    notes = ((pictures.note,) if pictures.note else ()) + notes
    used = {stack.member for stack in stacks} | {one.member for one in found}
    rest = [f"{key} {array.shape}" for key, array in arrays.items() if array.member not in used]
    if rest:
        taken = " and ".join(stack.member.removesuffix(".npy") for stack in stacks)
        notes += (f"pictures are the array {taken}; arrays left out: {first_names(rest, 5)}",)
    beside = [f"{key}.npy" for key in LABEL_KEYS if (path.parent / f"{key}.npy").is_file()]
    if beside and path.name not in beside and list(arrays) == [""]:
        notes += (f"labels not used: {first_names(beside)}; save both arrays in one .npz",)
    word = next((word for word in HELDOUT_NAMES if _part(arrays, (word,))), "")
    heldout = labels.heldout if len(parts) == 2 and len(labels.heldout) else None
    return Gallery(
        path.stem,
        pictures,
        range(counts[0]),
        labels.numbers,
        labels.classes,
        heldout,
        f"the set's own {word} part ({len(labels.heldout):,})" if heldout else "",
        notes,
    )


def _one_or_many(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse a shape that is one picture with channels as well as several grey ones."""
    if len(shape) != 3 or shape[0] == 1:
        return
    count, high, wide = shape
    if wide in (1, 3) or (wide == 4 and min(count, high) >= _SMALL):
        height, width, channels = shape
    elif count in (3, 4) and min(high, wide) >= _SMALL:
        channels, height, width = shape
    else:
        return
    raise UserError(
        f"{path} has shape {shape}: one picture of {height}x{width} with {channels} channels, or "
        f"{count} grey ones of {high}x{wide}? save it as (1, {height}, {width}, {channels}) or "
        f"as ({count}, {high}, {wide}, 1)"
    )


def _part(arrays: Arrays, words: Sequence[str]) -> dict[str, Stored]:
    """Arrays named `train_images` or `x_train`, by the rest of their names."""
    for word in words:
        found = {
            key.lower().replace(word, "").strip("_-. "): value
            for key, value in arrays.items()
            if word in key.lower().replace("-", "_").replace(".", "_").split("_")
        }
        if any(value.dtype.hasobject or len(value.shape) in (3, 4) for value in found.values()):
            return found
    return {}


def _pictures(arrays: Arrays, path: Path, memory: float) -> Stored:
    """The array of pictures: the only one shaped like them, else the only one of a usual name."""
    key = "" if list(arrays) == [""] else None
    key = the_one((k for k, a in arrays.items() if len(a.shape) in (3, 4)), IMAGE_KEYS) or key
    if key is None:
        plain({k: a for k, a in arrays.items() if k.lower() not in LABEL_KEYS}, memory)
        listed = ", ".join(f"{key} {array.shape}" for key, array in arrays.items())
        raise UserError(
            f"{path} has no array that is clearly the pictures (found {listed or 'none'}): "
            "name it images, with shape (N, H, W, C)"
        )
    plain({key: arrays[key]}, memory)
    return arrays[key]


class _Found(NamedTuple):
    """Labels of one part, the array that holds them, and what stands against the others."""

    values: np.ndarray | None = None
    member: str = ""
    notes: tuple[str, ...] = ()


def _labels(arrays: Arrays, pictures: Stored, memory: float) -> _Found:
    usable: dict[str, np.ndarray] = {}
    reasons = []
    named = {key.lower(): key for key in arrays}
    for key in (named[key] for key in LABEL_KEYS if key in named):
        array = arrays[key]
        if array is pictures or len(array.shape) > 2:
            continue
        try:
            if array.dtype.hasobject:
                raise UnusableError(f"{key} is of dtype object: save it as {key}.astype(str)")
            plain({"pictures": pictures, key: array}, memory)
            usable[key] = label_values(key, array.load(), pictures.shape[0])
        except UnusableError as error:
            reasons.append(f"labels not used: {error}")
    if not usable:
        return _Found(notes=tuple(reasons))
    (key, values), *others = usable.items()
    differing = [name for name, other in others if not np.array_equal(values, other)]
    if differing:
        raise UserError(
            f"{pictures.path} has labels in {key} and others in {', '.join(differing)}: "
            "leave one of the arrays"
        )
    return _Found(values, arrays[key].member)
