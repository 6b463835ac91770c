"""Sets of pairs of pictures as they are found: halves, two folders, arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zerosum.data.config import OnProgress
from zerosum.data.parts import HELDOUT_NAMES, TRAIN_NAMES, keep_aside
from zerosum.data.pixels import Framing, Pixels
from zerosum.errors import UserError
from zerosum.modalities.images.arrays import ArrayPictures
from zerosum.modalities.images.decoding import BadPictures, map_numbers
from zerosum.modalities.images.gallery import BadPictureError, Pictures
from zerosum.modalities.images.numpy_files import Stacked, plain, stored_arrays
from zerosum.names import first_names

SIDES: Mapping[str, int] = {
    **dict.fromkeys(("a", "input", "labels"), 0),
    **dict.fromkeys(("b", "image", "images", "target", "output"), 1),
}
"""Names of the two folders of a set, and which picture of a pair lies in it."""
ARRAYS = (("input", "image"), ("a", "b"), ("x", "y"))
"""Names of the two arrays of a file."""


@dataclass(frozen=True)
class PairSet:
    """Pairs as they are found, not yet decoded.

    Attributes:
        name: Short name of the set.
        sides: The pictures A and B of each pair, in one order.
        train: Numbers of the training pairs where the set has parts, else all.
        heldout: Numbers of the set's own held-out part; None where it has none.
        part: What that part is called.
        notes: Decisions worth showing.
    """

    name: str
    sides: tuple[Pictures, Pictures]
    train: Sequence[int]
    heldout: Sequence[int] | None = None
    part: str = ""
    notes: tuple[str, ...] = ()

    def parts(self, holdout: float) -> tuple[NDArray[np.int64], NDArray[np.int64], str]:
        """Numbers of the training and of the held-out pairs, and where the latter come from."""
        train = np.asarray(self.train, dtype=np.int64)
        if self.heldout is not None:
            held = np.asarray(self.heldout, dtype=np.int64)
            return train, held, f"the set's own {self.part} part ({len(held):,})"
        kept, held, note = keep_aside(len(train), holdout, "pair")
        return train[kept], train[held], note

    def decoded(
        self,
        numbers: NDArray[np.int64],
        keys: Sequence[str],
        wanted: Mapping[tuple[str, bool], Framing],
        bad: BadPictures,
        on_progress: OnProgress | None,
    ) -> dict[tuple[str, bool], Pixels]:
        """Pairs as uint8 (N, C, H, W) in all wanted framings; rows of bad ones stay zero.

        Args:
            numbers: Which pairs.
            keys: What the pictures A and B are called in `wanted`.
            wanted: Framings, by that name and one more word.
            bad: Takes the unreadable ones.
            on_progress: Called now and then.
        """
        found = {
            key: np.zeros((len(numbers), framing.channels, *framing.size), dtype=np.uint8)
            for key, framing in wanted.items()
        }

        def work(number: int) -> dict[str, Image.Image]:
            left, right = self.sides
            if isinstance(left, Halves):  # one file holds both: it is read once
                whole = left.pictures.image(number)
                return dict(zip(keys, (left.cut(whole, number), left.cut(whole, number, 1))))
            return dict(zip(keys, (left.image(number), right.image(number))))

        def framed(number: int) -> dict[tuple[str, bool], Pixels] | None:
            if number in bad.found:
                return None
            try:
                pair = work(number)
                return {key: framing(pair[key[0]]) for key, framing in wanted.items()}
            except BadPictureError as error:
                bad.add(number, error)
            return None

        for row, (_, pair) in enumerate(map_numbers(framed, numbers, on_progress)):
            for key, pixels in (pair or {}).items():
                found[key][row] = pixels
        return found


class Chosen(Pictures):
    """Some pictures of a set, in an order."""

    def __init__(self, pictures: Pictures, numbers: Sequence[int]) -> None:
        self._pictures, self._numbers = pictures, numbers
        self.names = [pictures.names[number] for number in numbers]

    def probe(self, number: int) -> tuple[tuple[int, int], str]:
        return self._pictures.probe(self._numbers[number])

    def image(self, number: int) -> Image.Image:
        return self._pictures.image(self._numbers[number])

    def stored(self, number: int) -> Image.Image:
        return self._pictures.stored(self._numbers[number])

    def remarks(self) -> tuple[str, ...]:
        return self._pictures.remarks()


class Halves(Pictures):
    """The left (0) or the right (1) halves of pictures."""

    def __init__(self, pictures: Pictures, side: int) -> None:
        self.pictures, self._side, self.names = pictures, side, pictures.names

    def probe(self, number: int) -> tuple[tuple[int, int], str]:
        (height, width), mode = self.pictures.probe(number)
        return (height, self._half(width, number)), mode

    def image(self, number: int) -> Image.Image:
        return self.cut(self.pictures.image(number), number, self._side)

    def stored(self, number: int) -> Image.Image:
        return self.cut(self.pictures.stored(number), number, self._side)

    def remarks(self) -> tuple[str, ...]:
        return self.pictures.remarks()

    def cut(self, picture: Image.Image, number: int, side: int = 0) -> Image.Image:
        """One half of a picture, which has this number."""
        half = self._half(picture.width, number)
        return picture.crop((side * half, 0, (side + 1) * half, picture.height))

    def _half(self, width: int, number: int) -> int:
        if width % 2:
            reason = f"{width} pixels wide: two pictures side by side have an even width"
            raise BadPictureError(self.names[number], reason)
        return width // 2


def from_files(name: str, pictures: Pictures, where: str) -> PairSet:
    """Pairs of picture files: in folders A and B (or trainA, testB, ...), else side by side.

    Raises:
        UserError: There are no pictures, or one has no partner; the message names it.
    """
    if not len(pictures):
        raise UserError(f"{where} holds no image files: check that it is the right one")
    places = [place_of(PurePosixPath(file)) for file in pictures.names]
    present = {place.side for place in places}
    notes = pictures.notes
    if {0, 1} <= present:
        left, right = _matched(places, pictures.names, where)
        outside = [pictures.names[n] for n, place in enumerate(places) if place.side is None]
        places = [places[number] for number in left]
        sides = (Chosen(pictures, left), Chosen(pictures, right))
        if outside:
            notes += (
                f"pictures outside the folders A and B are left out: {len(outside):,} "
                f"({first_names(outside)})",
            )
    else:
        sides = (Halves(pictures, 0), Halves(pictures, 1))
        notes += ("each picture is a pair side by side: A left, B right",)
        if present != {None}:
            notes += ("there are folders of one side only, which are like any other folders",)

    def numbers(part: str) -> list[int]:
        return [i for i, place in enumerate(places) if place.part == part]

    train = next((numbers(part) for part in TRAIN_NAMES if numbers(part)), None)
    part = next((part for part in HELDOUT_NAMES if numbers(part)), "")
    if train is None or not part:
        return PairSet(name, sides, range(len(places)), notes=notes)
    held = numbers(part)
    if rest := len(places) - len(train) - len(held):
        notes += (f"pairs outside the training and the {part} part are left out: {rest:,}",)
    return PairSet(name, sides, train, held, part, notes)


@dataclass(frozen=True)
class Place:
    """What the folders of a file say: which picture of a pair it is, of which part and pair."""

    side: int | None
    part: str
    key: str


def place_of(path: PurePosixPath) -> Place:
    """What the folders of a picture say, by names such as A, trainB, test/input."""
    side, part, rest = None, "", []
    for folder in path.parts[:-1]:
        word = folder.lower()
        begun = next((p for p in (*TRAIN_NAMES, *HELDOUT_NAMES)[::-1] if word.startswith(p)), "")
        tail = word.removeprefix(begun).strip("_- ")
        if tail in SIDES:
            side, part = SIDES[tail], begun or part
        elif begun and not tail:
            part = begun
        else:
            rest.append(folder)
    return Place(side, part, "/".join([*rest, path.stem]))


def _matched(
    places: Sequence[Place], names: Sequence[str], where: str
) -> tuple[list[int], list[int]]:
    """Numbers of the pictures A and of their partners B, by part and name."""
    found: tuple[dict[tuple[str, str], int], ...] = ({}, {})
    for number, place in enumerate(places):
        if place.side is None:
            continue
        key = (place.part, place.key)
        other = found[place.side].setdefault(key, number)
        if other != number:
            raise UserError(
                f"{where}: {names[other]} and {names[number]} have one name: rename one of them"
            )
    alone = [
        names[found[side][key]]
        for side in (0, 1)
        for key in found[side]
        if key not in found[1 - side]
    ]
    if alone:
        listed = ", ".join(alone[:5]) + (f" and {len(alone) - 5} more" if len(alone) > 5 else "")
        raise UserError(
            f"{where}: {len(alone)} of its pictures have no partner of the same name: {listed}: "
            "name both pictures of a pair alike"
        )
    return list(found[0].values()), [found[1][key] for key in found[0]]


def from_arrays(path: Path, memory: float = 2.0) -> PairSet:
    """Pairs of an .npz file with arrays input and image, a and b, or x and y.

    Raises:
        UserError: It is damaged, has other arrays, or not as many of both.
    """
    arrays = stored_arrays(path)
    if list(arrays) == [""]:
        raise UserError(f"{path} holds one array: save two in an .npz, input and image")
    keys = {key.lower(): key for key in arrays}
    names = next((pair for pair in ARRAYS if set(pair) <= set(keys)), None)
    if names is None:
        raise UserError(
            f"{path} holds {', '.join(arrays)}: name its two arrays of pictures input and image"
        )
    used = {keys[name]: arrays[keys[name]] for name in names}
    plain(used, memory)
    first, second = (Stacked([array]) for array in used.values())
    rest = [f"{key} {array.shape}" for key, array in arrays.items() if key not in used]
    notes = (f"arrays left out: {first_names(rest)}",) if rest else ()
    return of_arrays(path.stem, first, second, str(path), notes)


def of_arrays(
    name: str,
    first: np.ndarray | Stacked,
    second: np.ndarray | Stacked,
    where: str,
    notes: tuple[str, ...] = (),
) -> PairSet:
    """Pairs of two arrays of pictures, in one order.

    Args:
        name: Of the set.
        first: The inputs (N, H, W) or (N, H, W, C).
        second: The answers, likewise.
        where: What to call them in messages.
        notes: Decisions worth showing.

    Raises:
        UserError: Not as many of both.
    """
    if len(first) != len(second):
        raise UserError(
            f"{where} has {len(first):,} inputs and {len(second):,} answers: give as many of both"
        )
    sides = (ArrayPictures(first, name=f"{name}:A"), ArrayPictures(second, name=f"{name}:B"))
    said = tuple(dict.fromkeys(side.note for side in sides if side.note))
    return PairSet(name, sides, range(len(first)), notes=notes + said)
