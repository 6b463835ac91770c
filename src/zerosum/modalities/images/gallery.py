"""Pictures as they are found: numbered, named, with classes and parts, not yet decoded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from zerosum.data.parts import HELDOUT_NAMES, TRAIN_NAMES
from zerosum.data.pixels import Framing, Pixels, header, plain


class BadPictureError(Exception):
    """One picture cannot be read. Carries its name and why; users see a UserError made of it."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason


class Pictures(ABC):
    """Pictures by number. Implementations can be pickled and read from several threads."""

    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def probe(self, number: int) -> tuple[tuple[int, int], str]:
        """(height, width) and mode as stored, without decoding.

        Raises:
            BadPictureError: Not a picture, or damaged.
        """

    @abstractmethod
    def image(self, number: int) -> Image.Image:
        """The decoded picture, upright, in mode L, LA, RGB or RGBA.

        Raises:
            BadPictureError: Not a picture, or damaged.
        """

    def pixels(self, number: int, framing: Framing) -> Pixels:
        """The picture as uint8 (channels, height, width).

        Raises:
            BadPictureError: Not a picture, or damaged.
        """
        return framing(self.image(number))

    def bulk(self, numbers: Sequence[int], framing: Framing) -> Pixels | None:
        """Many pictures at once (N, C, H, W) where no decoding is needed, else None."""
        return None


class Numbered(Sequence[str]):
    """Names `set[17]` made on demand, so that a million pictures cost no list."""

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: Any) -> Any:
        return f"{self._name}[{range(self._count)[number]}]"


class EncodedPictures(Pictures):
    """Pictures that are files of an image format, wherever the bytes lie."""

    @abstractmethod
    def stream(self, number: int) -> BinaryIO:
        """The bytes of one file, readable from the start."""

    def probe(self, number: int) -> tuple[tuple[int, int], str]:
        try:
            with self.stream(number) as file, Image.open(file) as image:
                return header(image)
        except Exception as error:
            raise self._bad(number, error) from error

    def image(self, number: int) -> Image.Image:
        try:
            with self.stream(number) as file, Image.open(file) as image:
                image.load()
                return plain(image)
        except Exception as error:
            # Decoders raise a dozen unrelated types on damaged files, so all are caught.
            raise self._bad(number, error) from error

    def _bad(self, number: int, error: Exception) -> BadPictureError:
        name = self.names[number]
        if isinstance(error, Image.UnidentifiedImageError):
            return BadPictureError(name, "not an image, or damaged")
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return BadPictureError(name, reason)


@dataclass(frozen=True)
class Gallery:
    """A set of pictures with what is known about them before decoding.

    Attributes:
        name: Short name of the set.
        pictures: The pictures.
        labels: Class number per picture, int64 (N,); None without classes.
        classes: Class names.
        train: Numbers of the training pictures, where the set has its own parts, else all.
        heldout: Numbers of the set's own held-out part, or None.
        heldout_note: What that part is called.
        notes: Decisions worth showing.
    """

    name: str
    pictures: Pictures
    train: Sequence[int]
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    heldout: Sequence[int] | None = None
    heldout_note: str = ""
    notes: tuple[str, ...] = field(default=())


def from_names(name: str, pictures: Pictures) -> Gallery:
    """Read classes and parts off the folders in the names of the pictures.

    Folders that all pictures share at the start mean nothing. Then a `train` folder beside a
    `test` or `val` folder is a split, and the top-level folders (of each part) are the classes.
    """
    paths = [PurePosixPath(text).parts for text in pictures.names]
    inner = _without_shared(paths)
    tops = {path[0].lower() for path in inner if len(path) > 1}
    train_top = next((top for top in TRAIN_NAMES if top in tops), None)
    held_top = next((top for top in HELDOUT_NAMES if top in tops), None)
    if train_top is None or held_top is None:
        labels, classes, notes = _classes(inner)
        return Gallery(name, pictures, range(len(paths)), labels, classes, notes=notes)

    def part(top: str) -> list[int]:
        return [i for i, path in enumerate(inner) if len(path) > 1 and path[0].lower() == top]

    train, heldout = part(train_top), part(held_top)
    used = train + heldout
    below, classes, notes = _classes(_without_shared([inner[i][1:] for i in used]))
    labels = None
    if below is not None:
        labels = np.full(len(paths), -1, dtype=np.int64)
        labels[used] = below
    rest = len(paths) - len(used)
    if rest:
        notes += (f"{rest:,} pictures beside {train_top}/ and {held_top}/ are left out",)
    note = f"the set's own {held_top}/ part ({len(heldout):,})"
    return Gallery(name, pictures, train, labels, classes, heldout, note, notes)


def _without_shared(paths: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Paths without the leading folders that all of them share."""
    result = list(paths)
    while all(len(path) > 1 for path in result) and len({path[0] for path in result}) == 1:
        result = [path[1:] for path in result]
    return result


def _classes(
    paths: Sequence[tuple[str, ...]],
) -> tuple[np.ndarray | None, tuple[str, ...], tuple[str, ...]]:
    """Labels, class names and notes from the first folder of each path."""
    loose = sum(len(path) == 1 for path in paths)
    classes = tuple(sorted({path[0] for path in paths if len(path) > 1}))
    if loose and classes:
        note = f"no labels: {loose:,} pictures lie beside the folders {', '.join(classes[:3])}"
        return None, (), (note,)
    if len(classes) < 2:
        return None, (), ()
    numbers = {name: number for number, name in enumerate(classes)}
    return np.array([numbers[path[0]] for path in paths], dtype=np.int64), classes, ()


def from_values(values: np.ndarray) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels and class names from one value per picture (numbers or words), None if one class."""
    known, labels = np.unique(values, return_inverse=True)
    if len(known) < 2:
        return None, ()
    return labels.astype(np.int64).reshape(-1), tuple(str(value) for value in known)
