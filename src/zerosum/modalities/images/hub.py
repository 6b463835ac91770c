"""Pictures from the Hugging Face hub, or from folders in its formats (extra `hf`)."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from zerosum.data.parts import HELDOUT_NAMES, TRAIN_NAMES
from zerosum.errors import UserError, nearest, require
from zerosum.modalities.images.gallery import EncodedPictures, Gallery, Numbered


class HubPictures(EncodedPictures):
    """The image column of one or two datasets, one after the other."""

    def __init__(self, parts: list[Any], column: str, name: str) -> None:
        image = require("datasets", "hf").Image(decode=False)
        self._parts = [part.cast_column(column, image) for part in parts]
        self._column = column
        self._ends = np.cumsum([len(part) for part in parts])
        self.names = Numbered(name, int(self._ends[-1]))

    def stream(self, number: int) -> BinaryIO:
        part = int(np.searchsorted(self._ends, number, side="right"))
        row = number - (int(self._ends[part - 1]) if part else 0)
        cell = self._parts[part][row][self._column]
        return BytesIO(cell["bytes"]) if cell["bytes"] is not None else open(cell["path"], "rb")


def open_hub(text: str) -> Gallery:
    """Open `org/name`, `org/name:split`, or a folder written by or for `datasets`.

    Raises:
        UserError: The library is missing, the set cannot be reached, or has no image column.
    """
    datasets = require("datasets", "hf")
    place, split = _place_and_split(text)
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
    first = split or next((name for name in TRAIN_NAMES if name in parts), next(iter(parts)))
    held = None if split else next((name for name in HELDOUT_NAMES if name in parts), None)
    if held == first:
        held = None
    used = [parts[first]] + ([parts[held]] if held else [])
    return _gallery(datasets, used, held, place)


def _gallery(datasets: Any, used: list[Any], held: str | None, place: str) -> Gallery:
    features = used[0].features
    column = next(
        (key for key, kind in features.items() if isinstance(kind, datasets.Image)), None
    )
    if column is None:
        raise UserError(f"hf:{place} has no image column: its columns are {', '.join(features)}")
    label = next(
        (k for k, kind in features.items() if isinstance(kind, datasets.ClassLabel)), None
    )
    labels, classes, notes = None, (), ()
    if label is not None and len(features[label].names) > 1:
        labels = np.concatenate([np.asarray(part[label], dtype=np.int64) for part in used])
        classes = tuple(features[label].names)
        if labels.min(initial=0) < 0:  # the hub's way to say that a test part is unlabelled
            labels, classes, notes = None, (), ("no labels: some samples have none (-1)",)
    name = Path(place).name
    pictures = HubPictures(used, column, name)
    train = len(used[0])
    heldout = range(train, len(pictures)) if held else None
    note = f"the set's own {held} part ({len(pictures) - train:,})" if held else ""
    return Gallery(name, pictures, range(train), labels, classes, heldout, note, notes)


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
