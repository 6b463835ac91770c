"""Which class each value of a label map means: class numbers, palettes, tables of colours."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageOps

from zerosum.errors import UserError
from zerosum.modalities.images.gallery import BadPictureError
from zerosum.names import printable

MOST = 256
"""Classes that a label map may have, as one byte holds."""
APART = 48.0
"""Least distance of two colours that are found by counting, of 255 a channel."""

Numbers = NDArray[np.uint8]
Colours = NDArray[np.uint8]


@dataclass(frozen=True)
class Values:
    """What one label map holds.

    Attributes:
        ids: The distinct class numbers, int64 (k,); None for a colour picture.
        colours: The colour (k, 3) of each; of grey maps none.
        counts: How many pixels have each, (k,).
        where: Which of them a pixel (H, W) has.
    """

    ids: NDArray[np.int64] | None
    colours: Colours | None
    counts: NDArray[np.int64]
    where: NDArray[np.int64]


def values_of(picture: Image.Image) -> Values:
    """The distinct values of a label map as it is stored: its palette's numbers are kept."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode == "P":
        numbers = np.asarray(picture)
        found, where, counts = _distinct(numbers)
        palette = np.asarray(picture.convert("RGB")).reshape(-1, 3)
        first = np.unique(numbers, return_index=True)[1]
        return Values(found, palette[first], counts, where)
    if picture.mode in ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N"):
        grey = picture.getchannel(0) if picture.mode == "LA" else picture
        return Values((found := _distinct(np.asarray(grey)))[0], None, found[2], found[1])
    pixels = np.asarray(picture.convert("RGB")).astype(np.int64)
    found, where, counts = _distinct(_packed(pixels))
    return Values(None, _unpacked(found), counts, where)


@dataclass(frozen=True)
class Classes:
    """The classes of a set of label maps.

    A map of class numbers is read by `ids`, one of colours by `colours`; so whoever paints may
    use either.

    Attributes:
        ids: What a map of numbers holds for each class.
        colours: uint8 (classes, 3), by which a class is shown.
        names: Of the classes.
        nearest: Whether a colour that no class has means the one that is nearest to it.
        palettes: Whether the number of a palette's entry is the class, and not its colour.
    """

    ids: tuple[int, ...]
    colours: Colours
    names: tuple[str, ...]
    nearest: bool = False
    palettes: bool = True

    def __len__(self) -> int:
        return len(self.ids)

    def number(self, picture: Image.Image, name: str) -> Numbers:
        """Classes (H, W), uint8, of a label map.

        Args:
            picture: As stored: grey or palette for class numbers, else colours.
            name: What to call it in messages.

        Raises:
            BadPictureError: A value is none of the classes; the name and the value are said.
        """
        held = values_of(picture)
        if held.ids is not None and (held.colours is None or self.palettes):
            known = {value: place for place, value in enumerate(self.ids)}
            wrong = [value for value in held.ids.tolist() if value not in known]
            if wrong:
                pixels = int(held.counts[held.ids.tolist().index(wrong[0])])
                raise BadPictureError(
                    name,
                    f"label {wrong[0]} in {pixels:,} pixels is none of the {len(self)} classes, "
                    f"{self._listed()}",
                )
            table = np.array([known[value] for value in held.ids.tolist()], dtype=np.uint8)
            return table[held.where]
        assert held.colours is not None
        distances = np.linalg.norm(
            held.colours[:, None].astype(np.float32) - self.colours[None].astype(np.float32),
            axis=2,
        )
        if not self.nearest and (distances.min(1) > 0).any():
            row = int(np.argmax(np.where(distances.min(1) > 0, held.counts, 0)))
            raise BadPictureError(
                name,
                f"colour {tuple(held.colours[row].tolist())} in {int(held.counts[row]):,} pixels "
                "is no class's: mend the map, or take the nearest (data.nearest=true)",
            )
        return distances.argmin(1).astype(np.uint8)[held.where]

    def shown(self, numbers: NDArray[Any]) -> Colours:
        """Classes of any shape as colours (..., 3)."""
        return self.colours[numbers]

    def _listed(self) -> str:
        few = ", ".join(map(str, self.ids[:8]))
        return few if len(self.ids) <= 8 else f"{few} … {self.ids[-1]}"

    def state(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "ids": list(self.ids),
            "colours": self.colours.tolist(),
            "names": list(self.names),
            "nearest": self.nearest,
            "palettes": self.palettes,
        }

    @classmethod
    def from_state(cls, facts: Mapping[str, Any]) -> Self:
        """What `state` gave."""
        colours = np.asarray(facts["colours"], dtype=np.uint8).reshape(-1, 3)
        ids, names = tuple(map(int, facts["ids"])), tuple(map(str, facts["names"]))
        return cls(ids, colours, names, bool(facts["nearest"]), bool(facts["palettes"]))


class Census:
    """Counts what the label maps of a training part hold, to settle their classes."""

    def __init__(self) -> None:
        self.ids: Counter[int] = Counter()
        self.colours: Counter[int] = Counter()
        self._colour_of: dict[int, int] = {}
        self._kinds: dict[str, str] = {}
        self._one_palette = True

    def add(self, held: Values, name: str) -> None:
        """Take in one map."""
        kind = "colours" if held.ids is None else "numbers" if held.colours is None else "palette"
        self._kinds.setdefault(kind, name)
        if held.ids is not None:
            self.ids.update(dict(zip(held.ids.tolist(), held.counts.tolist())))
        if held.colours is not None:
            packed = _packed(held.colours.astype(np.int64)).tolist()
            for colour, count in zip(packed, held.counts.tolist()):
                self.colours[colour] += count
            if held.ids is not None:
                for value, colour in zip(held.ids.tolist(), packed):
                    self._one_palette &= self._colour_of.setdefault(value, colour) == colour

    def settle(
        self, where: str, *, count: int = 0, dontcare: int | None = 255, nearest: bool = False
    ) -> Classes:
        """The classes of all maps that were taken in.

        Args:
            where: What to call the set in messages.
            count: How many there are; 0 takes what is there.
            dontcare: A class number that stands beside the `count` ones, as a class of its own.
            nearest: Whether colours may be off, so that `count` of them are fitted.

        Raises:
            UserError: Numbers and colours stand side by side, or there are too many colours.
        """
        kinds = self._kinds
        if {"colours", "numbers"} <= set(kinds):
            raise UserError(
                f"{where}: {kinds['colours']} is a colour picture and {kinds['numbers']} holds "
                "class numbers: store all label maps one way"
            )
        # Palettes of their own, as a reduction of colours makes them, say nothing by numbers.
        by_number = "colours" not in kinds and ("numbers" in kinds or self._one_palette)
        if not by_number:
            return self._of_colours(where, count, nearest)
        found = sorted(self.ids)
        if count:
            named = [dontcare] if dontcare is not None and dontcare in self.ids else []
            found = [*range(count), *(one for one in named if one >= count)]
        if len(found) > MOST:
            raise UserError(
                f"{where}: {len(found)} label numbers are more than the {MOST} that a map may "
                "have: is it the photos' side? (data.labels says which side holds label maps)"
            )
        own = spread_colours(len(found))
        for place, value in enumerate(found):
            if value in self._colour_of:
                own[place] = _unpacked(np.array([self._colour_of[value]]))[0]
        names = tuple("dontcare" if value == dontcare else str(value) for value in found)
        return Classes(tuple(found), own, names)

    def _of_colours(self, where: str, count: int, nearest: bool) -> Classes:
        if len(self.colours) <= (count or MOST):
            packed = np.array(sorted(self.colours), dtype=np.int64)
            return _coloured(_unpacked(packed), nearest)
        example = self._kinds.get("colours", next(iter(self._kinds.values())))
        if not count:
            raise UserError(
                f"{where}: the label maps, such as {example}, hold {len(self.colours):,} colours, "
                f"more than {MOST} classes: they were smoothed or stored as JPEG, or are the "
                "photos (data.labels=B): give data.colours=TABLE.csv, or the number of classes "
                "with data.classes=12 data.nearest=true"
            )
        if not nearest:
            raise UserError(
                f"{where}: the label maps, such as {example}, hold {len(self.colours):,} colours "
                f"and data.classes={count}: add data.nearest=true to fit so many to them"
            )
        return _coloured(fitted(self.colours, count, where), True)


def fitted(counts: Mapping[int, int], count: int, where: str) -> Colours:
    """The `count` colours that most pixels are near, each `APART` from those before it.

    Args:
        counts: Pixels by packed colour.
        count: How many to find.
        where: What to call the set in messages.

    Raises:
        UserError: There are fewer that are so far apart.
    """
    colours = _unpacked(np.fromiter(counts, dtype=np.int64, count=len(counts))).astype(np.float64)
    weights = np.fromiter(counts.values(), dtype=np.float64, count=len(counts))
    left, found = weights.copy(), []
    coarse = _packed((colours // 16).astype(np.int64))
    while len(found) < count and left.sum() > 0:
        cells, inverse = np.unique(coarse, return_inverse=True)
        mass = np.bincount(inverse, weights=left, minlength=len(cells))
        near = coarse == cells[mass.argmax()]
        centre = np.average(colours[near], axis=0, weights=left[near])
        around = np.linalg.norm(colours - centre, axis=1) < APART / 2
        if left[around].sum():  # a cell may cut through what is one colour
            centre = np.average(colours[around], axis=0, weights=left[around])
        found.append(centre)
        left[(np.linalg.norm(colours - centre, axis=1) < APART) | near] = 0
    if len(found) < count:
        raise UserError(
            f"{where}: only {len(found)} colours of the label maps are clearly apart, not "
            f"data.classes={count}: give fewer, or their colours with data.colours=TABLE.csv"
        )
    return np.rint(np.array(found)).astype(np.uint8)


def _coloured(colours: Colours, nearest: bool, names: Sequence[str] = ()) -> Classes:
    told = tuple(names) or tuple("#" + bytes(one.tolist()).hex() for one in colours)
    return Classes(tuple(range(len(colours))), colours, told, nearest, palettes=False)


def read_table(path: Path, *, nearest: bool = False) -> Classes:
    """A table of colours: CSV lines `name,r,g,b` or `name,#rrggbb`, or JSON `{name: colour}`.

    Raises:
        UserError: It cannot be read, or two classes have one colour.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            tree = json.loads(text)
            pairs = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree))
        else:
            rows = [row for row in csv.reader(text.splitlines()) if any(row)]
            if rows and not any(letter.isdigit() for letter in "".join(rows[0][1:])):
                rows = rows[1:]  # a header
            pairs = [(row[0], row[1:]) for row in rows]
        named = [(printable(str(name).strip()), _colour(value)) for name, value in pairs]
    except (OSError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise UserError(
            f"{path} is no table of colours ({error}): write a line  name,r,g,b  for each class"
        ) from error
    if not 2 <= len(named) <= MOST:
        raise UserError(f"{path} names {len(named)} classes: give 2 to {MOST}")
    seen: dict[tuple[int, ...], str] = {}
    for name, colour in named:
        if colour in seen:
            raise UserError(f"{path}: {seen[colour]} and {name} have one colour: change one")
        seen[colour] = name
    colours = np.array([colour for _, colour in named], dtype=np.uint8)
    return _coloured(colours, nearest, [name for name, _ in named])


def _colour(value: Any) -> tuple[int, ...]:
    """A colour (r, g, b) as a table writes it."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        return ImageColor.getrgb(value.strip())[:3]
    colour = tuple(int(one) for one in value)
    if len(colour) != 3 or not all(0 <= one <= 255 for one in colour):
        raise ValueError(f"{list(value)} are not three numbers from 0 to 255")
    return colour


def spread_colours(count: int) -> Colours:
    """Colours (count, 3) that people tell apart: the bits of a number dealt to the channels, as
    PASCAL VOC does (Everingham et al. 2010); 0 is black."""
    table = np.zeros((count, 3), dtype=np.uint8)
    for number in range(count):
        for bit in range(8):
            for channel in range(3):
                if number >> (3 * bit + channel) & 1:
                    table[number, channel] |= 1 << (7 - bit)
    return table


Side = Literal["A", "B"]


def _distinct(
    numbers: NDArray[Any],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    found, where, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return found.astype(np.int64), where.reshape(numbers.shape), counts


def _packed(pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    return (pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]


def _unpacked(packed: NDArray[np.int64]) -> Colours:
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1).astype(np.uint8)
