"""Pictures as they are found: numbered, named, with classes and parts, not yet decoded."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from zerosum.data.parts import HELDOUT_NAMES, TRAIN_NAMES
from zerosum.data.pixels import Framing, Pixels, header, plain
from zerosum.modalities.images.labels import of_parts
from zerosum.modalities.images.stated import Stated, stated_labels
from zerosum.names import first_names, printable

# A picture of a hundred million pixels is what the user gave; one of twice as many is refused.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class BadPictureError(Exception):
    """One picture cannot be read. Carries its name and why; users see a UserError made of it."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason


class Pictures(ABC):
    """Pictures by number. Implementations can be pickled and read from several threads.

    Attributes:
        names: Of each picture, as it may be printed and stored.
        notes: What was left out when they were listed, one line each.
    """

    names: Sequence[str]
    notes: tuple[str, ...] = ()

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

    def stored(self, number: int) -> Image.Image:
        """The decoded picture in the mode that it is stored in, such as a palette's numbers.

        Raises:
            BadPictureError: Not a picture, or damaged.
        """
        return self.image(number)

    def pixels(self, number: int, framing: Framing) -> Pixels:
        """The picture as uint8 (channels, height, width).

        Raises:
            BadPictureError: Not a picture, or damaged.
        """
        return framing(self.image(number))

    def remarks(self) -> tuple[str, ...]:
        """What was noticed while pictures were read so far, one line each."""
        return ()

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
    """Pictures that are files of an image format, wherever the bytes lie.

    Attributes:
        keys: What the place calls each picture; names may be escaped.
        statements: Content of each dataset.json that lies beside them, by name.
    """

    keys: Sequence[str] = ()
    statements: Mapping[str, bytes] = MappingProxyType({})

    @abstractmethod
    def stream(self, number: int) -> BinaryIO:
        """The bytes of one file, readable from the start."""

    def probe(self, number: int) -> tuple[tuple[int, int], str]:
        try:
            with self.stream(number) as file, Image.open(file) as image:
                self._look_for_more(number, image)
                return header(image)
        except Exception as error:
            raise self._bad(number, error) from error

    def image(self, number: int) -> Image.Image:
        return self._decoded(number, plain)

    def stored(self, number: int) -> Image.Image:
        return self._decoded(number, Image.Image.copy)

    def _decoded(self, number: int, taken: Callable[[Image.Image], Image.Image]) -> Image.Image:
        try:
            with self.stream(number) as file, Image.open(file) as image:
                self._look_for_more(number, image)
                image.load()
                return taken(image)
        except Exception as error:
            # Decoders raise a dozen unrelated types on damaged files, so all are caught.
            raise self._bad(number, error) from error

    def remarks(self) -> tuple[str, ...]:
        names = [self.names[number] for number in sorted(self._several)]
        if not names:
            return ()
        return (
            "files of several frames or pages, of which the first is taken: "
            f"{len(names):,} ({first_names(names)})",
        )

    @property
    def _several(self) -> set[int]:
        """Numbers of the files met so far that hold several pictures."""
        return vars(self).setdefault("several", set())  # one set, whichever thread comes first

    def _look_for_more(self, number: int, image: Image.Image) -> None:
        with suppress(Exception):  # a broken second frame does not spoil the first
            if getattr(image, "is_animated", False):
                self._several.add(number)
            image.seek(0)

    def _bad(self, number: int, error: Exception) -> BadPictureError:
        name = self.names[number]
        if isinstance(error, Image.UnidentifiedImageError):
            return BadPictureError(name, "not an image, or damaged")
        if isinstance(error, Image.DecompressionBombError):
            most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
            return BadPictureError(name, f"more than {most:.0f} million pixels: make it smaller")
        if isinstance(error, OSError) and error.strerror:
            return BadPictureError(name, error.strerror)
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return BadPictureError(name, printable(reason))


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


def from_names(name: str, pictures: EncodedPictures) -> Gallery:
    """Read classes and parts off a dataset.json and the folders in the names of the pictures.

    Folders that all pictures share at the start mean nothing. Then a `train` folder beside a
    `test` or `val` folder is a split. Labels are those of a dataset.json where there is one; else
    the top-level folders (of each part) are the classes.

    Raises:
        UserError: A dataset.json is broken.
    """
    stated = stated_labels(pictures.keys, pictures.statements)
    paths = [PurePosixPath(text).parts for text in pictures.names]
    inner = _without_shared(paths)
    tops = {path[0].lower() for path in inner if len(path) > 1}
    train_top = next((top for top in TRAIN_NAMES if top in tops), None)
    held_top = next((top for top in HELDOUT_NAMES if top in tops), None)
    notes = pictures.notes
    if train_top is None or held_top is None:
        values, said = _values(stated, inner, range(len(paths)))
        found = of_parts(values, None, (len(paths), 0))
        notes += said + found.notes
        if alone := [top for top in (*TRAIN_NAMES, *HELDOUT_NAMES) if top in tops]:
            notes += (f"{alone[0]}/ is a folder like others: it has no counterpart beside it",)
        train = range(len(paths))
        return Gallery(name, pictures, train, found.numbers, found.classes, notes=notes)

    def part(top: str) -> list[int]:
        return [i for i, path in enumerate(inner) if len(path) > 1 and path[0].lower() == top]

    train, held = part(train_top), part(held_top)
    used = train + held
    below = _without_shared([inner[i][1:] for i in used])
    values, said = _values(stated, below[: len(train)], train)
    held_values, _ = _values(stated, below[len(train) :], held, learned=False)
    found = of_parts(values, held_values, (len(train), len(held)))
    notes += said + found.notes
    labels = None
    if found.numbers is not None:
        labels = np.full(len(paths), -1, dtype=np.int64)
        labels[used] = found.numbers
    rest = len(paths) - len(used)
    if rest:
        notes += (f"{rest:,} pictures beside {train_top}/ and {held_top}/ are left out",)
    heldout = [used[number] for number in found.heldout]
    if not heldout:
        return Gallery(name, pictures, train, labels, found.classes, notes=notes)
    note = f"the set's own {held_top}/ part ({len(heldout):,})"
    return Gallery(name, pictures, train, labels, found.classes, heldout, note, notes)


def _without_shared(paths: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Paths without the leading folders that all of them share."""
    result = list(paths)
    while all(len(path) > 1 for path in result) and len({path[0] for path in result}) == 1:
        result = [path[1:] for path in result]
    return result


def _values(
    stated: Stated,
    paths: Sequence[tuple[str, ...]],
    numbers: Sequence[int],
    *,
    learned: bool = True,
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """A label per picture of one part, as it is written, and notes; None without labels."""
    if not stated.decides:
        classes, notes = _folders(paths)
        return classes, stated.notes + notes
    if stated.values is None:
        return None, stated.notes
    values = stated.values[np.asarray(numbers, dtype=np.int64)]
    bare = int((values < 0).sum()) if values.dtype.kind == "i" else 0
    if bare and learned:
        note = f"labels not used: {bare:,} pictures to learn from have none (-1)"
        return None, (*stated.notes, note)
    return values, stated.notes


def _folders(paths: Sequence[tuple[str, ...]]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The first folder of each path, where all have one and several differ, and notes."""
    loose = sum(len(path) == 1 for path in paths)
    classes = sorted({path[0] for path in paths if len(path) > 1})
    if loose and classes:
        note = f"no labels: {loose:,} pictures lie beside the folders {first_names(classes)}"
        return None, (note,)
    if not classes:
        return None, ()
    note = f"labels are the folders: {first_names(classes)}"
    if all(name.isdigit() and len(name) > 3 for name in classes):
        note += "; data.labels=false if they only number the files"
    return np.array([path[0] for path in paths]), (note,) if len(classes) > 1 else ()
