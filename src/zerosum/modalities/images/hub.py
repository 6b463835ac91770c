"""Pictures from the Hugging Face hub, or from folders in its formats (extra `hf`)."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from zerosum.data.parts import HELDOUT_NAMES, TRAIN_NAMES
from zerosum.errors import UserError, nearest, require
from zerosum.modalities.images.gallery import EncodedPictures, Gallery, Numbered
from zerosum.modalities.images.labels import (
    IMAGE_KEYS,
    LABEL_KEYS,
    UnusableError,
    label_values,
    of_parts,
    the_one,
    with_choice,
)
from zerosum.names import first_names, printable


class HubPictures(EncodedPictures):
    """The image column of one or two datasets, one after the other."""

    def __init__(self, parts: Sequence[Any], column: str, name: str) -> None:
        image = require("datasets", "hf").Image(decode=False)
        self._parts = [part.cast_column(column, image) for part in parts]
        self._column = column
        self._ends = np.cumsum([len(part) for part in parts])
        self.names = Numbered(name, int(self._ends[-1]))

    def stream(self, number: int) -> BinaryIO:
        part = int(np.searchsorted(self._ends, number, side="right"))
        row = number - (int(self._ends[part - 1]) if part else 0)
        cell = self._parts[part][row][self._column]
        if cell is None or (cell["bytes"] is None and cell["path"] is None):
            raise ValueError(f"its cell in the column {self._column} is empty")
        return BytesIO(cell["bytes"]) if cell["bytes"] is not None else open(cell["path"], "rb")


def open_hub(text: str) -> Gallery:
    """Open `org/name`, `org/name:split`, or a folder written by or for `datasets`.

    `#image` after it names the column of the pictures, `#image,label` that of the labels too.

    Raises:
        UserError: The library is missing, the set cannot be reached, or has no image column, or
            several without a word which one is meant.
    """
    datasets = require("datasets", "hf")
    whole, choice = with_choice(text)
    place, split = _place_and_split(whole)
    try:
        loaded = _load(datasets, place)
    except Exception as error:
        # The library raises its own, requests', pyarrow's and fsspec's errors alike.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"hf:{text} cannot be loaded ({reason}): check name and network"
        ) from error
    parts = loaded if isinstance(loaded, dict) else {"train": loaded}
    if split and split not in parts:
        raise UserError(f"hf:{place} has no split {split}: {nearest(split, parts)}")
    train = split or next((name for name in TRAIN_NAMES if name in parts), next(iter(parts)))
    held = [] if split else [name for name in HELDOUT_NAMES if name in parts and name != train]
    image, label, notes = _columns(datasets, parts[train].features, choice, f"hf:{whole}")
    found = {name: _labels(parts[name], label) for name in (train, *held)}
    # Test parts often come without labels; a validation part that has them serves better.
    held.sort(key=lambda name: found[name][0] is None)
    used = [train, *held[:1]]
    unused = [name for name in parts if name not in used]
    if unused and not split:
        notes += (f"parts left out: {first_names(unused)} (hf:{place}:{unused[0]} reads one)",)
    notes += tuple(f"{name}: {found[name][1]}" for name in used if found[name][1])
    pictures = HubPictures([parts[name] for name in used], image, Path(place).name)
    count = len(parts[train])
    labels = of_parts(
        found[train][0],
        found[held[0]][0] if held else None,
        (count, len(pictures) - count),
        known=getattr(parts[train].features[label], "names", ()) if label else (),
    )
    note = f"the set's own {held[0]} part ({len(labels.heldout):,})" if held else ""
    return Gallery(
        printable(Path(place).name),
        pictures,
        range(count),
        labels.numbers,
        labels.classes,
        labels.heldout if len(labels.heldout) else None,
        note,
        notes + labels.notes,
    )


def _columns(
    datasets: Any, features: Any, choice: str, where: str
) -> tuple[str, str | None, tuple[str, ...]]:
    """The columns of pictures and labels, and what was left out."""
    images = [key for key, kind in features.items() if isinstance(kind, datasets.Image)]
    labels = [key for key, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    labels += [
        key
        for key, kind in features.items()
        if isinstance(kind, datasets.Value) and key.lower() in LABEL_KEYS
    ]
    if not images:
        raise UserError(f"{where} has no image column: its columns are {', '.join(features)}")
    asked, _, asked_label = choice.partition(",")
    for word, kind in ((asked, "image column"), (asked_label, "column")):
        if word and word not in (images if kind == "image column" else features):
            known = images if kind == "image column" else features
            raise UserError(f"{where} has no {kind} {word}: {nearest(word, known)}")
    image = asked or the_one(images, IMAGE_KEYS)
    if image is None:
        raise UserError(
            f"{where} has several image columns ({', '.join(images)}): say which one is meant "
            f"with {where}#{images[-1]}"
        )
    label = asked_label or the_one(labels, LABEL_KEYS)
    if label is None and labels:
        raise UserError(
            f"{where} has several columns of labels ({', '.join(labels)}): say which one is meant "
            f"with {where}#{image},{labels[0]}"
        )
    rest = [key for key in features if key not in (image, label)]
    if not rest:
        return image, label, ()
    read = f"pictures are the column {image}" + (f", labels the column {label}" if label else "")
    return image, label, (f"{read}; columns left out: {first_names(rest, 5)}",)


def _labels(part: Any, column: str | None) -> tuple[np.ndarray | None, str]:
    """One value per picture of a part, or None and why there is none."""
    if column is None or column not in part.features:
        return None, "labels not used: there are none" if column else ""
    cells = list(part[column])
    missing = sum(cell is None for cell in cells)
    if hasattr(part.features[column], "names"):  # the hub's way to say that there is none is -1
        missing = sum(cell is None or cell < 0 for cell in cells)
    if missing:
        return None, f"labels not used: {missing:,} of {len(cells):,} are missing in {column}"
    try:
        return label_values(column, np.asarray(cells), len(cells)), ""
    except (UnusableError, ValueError) as error:  # ValueError: lists of several lengths
        return None, f"labels not used: {error}"


def _place_and_split(text: str) -> tuple[str, str]:
    """`org/name:split` in two; the colon of a drive letter does not count."""
    place, colon, split = text.rpartition(":")
    if not colon or "/" in split or "\\" in split:
        return text, ""
    return place, split


def _load(datasets: Any, place: str) -> Any:
    folder = Path(place).expanduser()
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        return datasets.load_from_disk(str(folder))
    return datasets.load_dataset(str(folder) if folder.is_dir() else place)
