"""Label maps beside photos: folders, halves, archives and named sets, checked before training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import torch
from PIL import Image
from pydantic import Field as Setting
from torch import Tensor

from zerosum.config import Whole
from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.parts import limited
from zerosum.data.pixels import Framing
from zerosum.data.places import GIB
from zerosum.data.source import Mirrored, Source, Split
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.images.arrays import ArrayPictures
from zerosum.modalities.images.decoding import (
    BadPictures,
    colourful,
    decoded,
    map_numbers,
    none_readable,
    settle_framing,
)
from zerosum.modalities.images.gallery import BadPictureError, Pictures
from zerosum.modalities.images.label_classes import (
    Census,
    Classes,
    Numbers,
    Side,
    Values,
    read_table,
    values_of,
)
from zerosum.modalities.images.label_maps import LabelCodec, framed, label_framing
from zerosum.modalities.images.named_pairs import NAMED as NAMED_PAIRS
from zerosum.modalities.images.named_pairs import find_pairs
from zerosum.modalities.images.pair_sets import PairSet
from zerosum.modalities.images.pairs import PairSource, enlarged
from zerosum.modalities.images.settings import PictureSettings
from zerosum.names import first_names

FACADE_COLOURS: Mapping[str, tuple[int, int, int]] = {
    "background": (0, 0, 222),
    "facade": (0, 48, 255),
    "window": (2, 127, 255),
    "door": (2, 207, 255),
    "cornice": (35, 253, 226),
    "sill": (112, 253, 147),
    "balcony": (192, 255, 63),
    "blind": (253, 240, 6),
    "deco": (255, 159, 2),
    "molding": (253, 80, 1),
    "pillar": (248, 2, 3),
    "shop": (174, 0, 1),
}
"""Medians of what lies near each of the 12 classes' colours in the training part; the numbers of
CMP Facades (Tylecek and Sara 2013) in their order. The maps are JPEG: the nearest is taken."""


class Labelled(PictureSettings):
    """Label maps and the photos that they belong to, of the same name or side by side."""

    codec: ClassVar[type[Codec]] = LabelCodec

    kind: Literal["labelled"] = "labelled"
    path: str = "shapes"
    """Named set (facades, shapes, which is synthetic), folder with labels and images (or A and B,
    or halves side by side), .zip, .tar or .npz."""
    labels: Side = "A"
    """Which side holds the label maps, where no folder is called labels: A is the left one."""
    classes: Whole = 0
    """How many classes there are: numbers are then 0 to classes - 1; 0 counts what is there."""
    dontcare: Annotated[int, Setting(ge=0, le=65_535)] | None = 255
    """A class number beside those, for what is no class; it becomes one of its own, the last."""
    colours: str = ""
    """Table of colours (.csv or .json), where label maps are pictures; empty counts them."""
    nearest: bool = False
    """Colours that no class has mean the nearest class, as JPEG and smoothed maps need."""
    crop: bool = False
    """Enlarge training pairs to 286/256 of the size and crop both at one random place."""

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Find and check all label maps, then decode the pairs.

        Raises:
            UserError: Nothing is there, a picture has no partner or cannot be read, or a label map
                holds a value that is no class; the file and the value are named.
        """
        found, known = self._found()
        maps, photos = found.sides if self.labels == "A" or known else found.sides[::-1]
        train, held, note = found.parts(self.holdout)
        train = limited(train, self.limit)
        used, bad = np.concatenate([train, held]), BadPictures(self.skip_bad)
        ours = codec if isinstance(codec, LabelCodec) else None
        if ours is not None:
            framing, classes, final = ours.framing, ours.classes, True
        else:
            framing, final = settle_framing(self, self.path, photos, used, bad, on_progress)
            classes = known or self._settled(maps, train, bad, on_progress)
        shapes = [framing, *([enlarged(framing)] if self.crop else [])]
        need = len(used) * sum((f.channels + 1) * f.size[0] * f.size[1] for f in shapes) / GIB
        if need > self.memory:
            raise UserError(
                f"{self.path} takes {need:.1f} GiB decoded, more than data.memory="
                f"{self.memory:g}: raise it, or lower data.size or data.limit"
            )
        numbers = _numbered(maps, used, classes, shapes, bad, on_progress)
        pixels = [decoded(photos, used, one, bad, on_progress) for one in shapes]
        if not final and not colourful(pixels[0]):
            framing = replace(framing, channels=1)
            pixels = [one[:, :1] for one in pixels]
        ours = ours or LabelCodec(framing, classes)
        keep = np.array([number not in bad.found for number in used.tolist()], dtype=bool)
        notes = found.notes + tuple(dict.fromkeys(maps.remarks() + photos.remarks()))
        notes += (_told(ours.classes, numbers[0][: len(train)][keep[: len(train)]]),)

        def source(where: slice, word: str, count: int) -> LabelSource:
            good = keep[where].nonzero()[0] + (where.start or 0)
            stacks = [
                {
                    "input": torch.from_numpy(ids[good])[:, None],
                    "image": torch.from_numpy(shown[good]),
                }
                for ids, shown in zip(numbers[:count], pixels[:count])
            ]
            name = f"{found.name}/{word}"
            more = {"notes": notes + bad.notes(), "skipped": bad.names()}
            return LabelSource(*stacks, fields=ours.fields, name=name, **more)

        learned: Source = source(slice(0, len(train)), "train", len(shapes))
        aside = source(slice(len(train), None), "heldout", 1)
        if not len(learned):
            raise none_readable(self.path, len(train), bad.example)
        learned = Mirrored(learned) if self.flip else learned
        return Split(learned, aside if len(aside) else None, note, ours)

    def at(self, path: str) -> Self:
        """The same settings for other data, whose classes are other ones."""
        return self.model_copy(update={"path": path})

    @property
    def title(self) -> str:
        return self.path

    def _found(self) -> tuple[PairSet, Classes | None]:
        """Pairs (label map, photo), and their classes where the set is known or a table given."""
        if self.path in NAMED:
            return NAMED[self.path]()
        if self.path.partition(":")[0] in NAMED_PAIRS:
            raise UserError(
                f"{self.path} has no label maps: name a folder that has, or one of "
                f"{', '.join(NAMED)}"
            )
        found = find_pairs(self.path, self.memory)
        if not self.colours:
            return found, None
        classes = read_table(Path(self.colours).expanduser(), nearest=self.nearest)
        sides = found.sides if self.labels == "A" else found.sides[::-1]
        return replace(found, sides=sides), classes

    def _settled(
        self,
        maps: Pictures,
        train: np.ndarray,
        bad: BadPictures,
        on_progress: OnProgress | None,
    ) -> Classes:
        """The classes that the training part's maps hold."""
        census = Census()

        def look(number: int) -> Values | BadPictureError:
            try:
                return values_of(maps.stored(number))
            except BadPictureError as error:
                return error

        for number, held in map_numbers(look, train, on_progress):
            if isinstance(held, BadPictureError):
                bad.add(number, held)
            else:
                census.add(held, maps.names[number])
        if len(bad.found) >= len(train):
            raise none_readable(self.path, len(train), bad.example)
        return census.settle(
            self.path, count=self.classes, dontcare=self.dontcare, nearest=self.nearest
        )


class LabelSource(PairSource):
    """Label maps and photos held in memory; a crop is at the same place in both."""

    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        batch = super().fetch(indices, visits)
        return {**batch, "input": batch["input"][:, 0]}


def _numbered(
    maps: Pictures,
    used: np.ndarray,
    classes: Classes,
    shapes: Sequence[Framing],
    bad: BadPictures,
    on_progress: OnProgress | None,
) -> list[Numbers]:
    """Classes (N, H, W) of all maps, checked at their own size, in each of some framings."""
    frames = [label_framing(one) for one in shapes]
    found = [np.zeros((len(used), *one.size), dtype=np.uint8) for one in frames]

    def read(number: int) -> list[Numbers] | None:
        if number in bad.found:
            return None
        try:
            numbers = classes.number(maps.stored(number), maps.names[number])
            return [framed(numbers, one) for one in frames]
        except BadPictureError as error:
            bad.add(number, error)
        return None

    for row, (_, made) in enumerate(map_numbers(read, used, on_progress)):
        for stack, numbers in zip(found, made or ()):
            stack[row] = numbers
    return found


def _told(classes: Classes, learned: Numbers) -> str:
    """A line on the classes and the shares of the pixels that they have."""
    counts = np.bincount(learned.ravel(), minlength=len(classes))
    absent = [name for name, count in zip(classes.names, counts) if not count]
    share = counts / max(1, counts.sum())
    listed = ", ".join(f"{n} {s:.0%}" for n, s in list(zip(classes.names, share))[:12])
    more = f", and {len(classes) - 12} more" if len(classes) > 12 else ""
    lacking = f"; none of the training part: {first_names(absent)}" if absent else ""
    return f"{len(classes)} classes of pixels: {listed}{more}{lacking}"


@dataclass(frozen=True)
class Shape:
    """How a class of the synthetic set looks.

    Attributes:
        name: Of the class.
        colour: Its mean, RGB.
        stripes: Pixels of a period of its texture; 0 for none.
    """

    name: str
    colour: tuple[int, int, int]
    stripes: int = 0


SHAPES = (
    Shape("ground", (90, 120, 70)),
    Shape("square", (190, 70, 60), stripes=4),
    Shape("disc", (70, 110, 200)),
    Shape("bar", (225, 200, 90), stripes=3),
)
SHAPE_SIDE = 32
"""Pixels."""


def synthetic_shapes(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Synthetic label maps (N, 32, 32) of four classes and photos (N, 32, 32, 3), both uint8.

    A photo is its classes' colours with their stripes, a light that falls off across the picture,
    and noise, so that no photo follows from its map alone.
    """
    rng = np.random.default_rng(seed)
    side = SHAPE_SIDE
    down, across = np.mgrid[0:side, 0:side]
    maps = np.zeros((count, side, side), dtype=np.uint8)
    photos = np.zeros((count, side, side, 3), dtype=np.uint8)
    colours = np.array([shape.colour for shape in SHAPES], dtype=np.float64)
    for number in range(count):
        for kind in rng.permutation([1, 2, 3]):
            y, x = rng.integers(4, side - 4, size=2)
            size = rng.integers(4, 9)
            if kind == 1:
                inside = (abs(down - y) <= size) & (abs(across - x) <= size)
            elif kind == 2:
                inside = (down - y) ** 2 + (across - x) ** 2 <= size**2
            else:
                inside = abs(down - y) <= 2
            maps[number][inside] = kind
        here = colours[maps[number]]
        for kind, shape in enumerate(SHAPES):
            if shape.stripes:
                wave = 30 * np.sin(2 * np.pi * across / shape.stripes + rng.uniform(0, 6.28))
                here += (wave * (maps[number] == kind))[:, :, None]
        light = rng.uniform(0.7, 1.1) + rng.uniform(-0.01, 0.01) * (across - side / 2)
        here = here * light[:, :, None] + rng.normal(0, 5, size=(side, side, 1))
        photos[number] = np.clip(np.rint(here), 0, 255)
    return maps, photos


class MapPictures(ArrayPictures):
    """Label maps of an array (N, H, W), whose numbers are the classes."""

    def stored(self, number: int) -> Image.Image:
        return Image.fromarray(np.asarray(self._array[number], dtype=np.uint8))


def _shapes() -> tuple[PairSet, Classes]:
    maps, photos = synthetic_shapes(512)
    sides = (MapPictures(maps, name="shapes:labels"), ArrayPictures(photos, name="shapes:images"))
    colours = np.array([shape.colour for shape in SHAPES], dtype=np.uint8)
    names = tuple(shape.name for shape in SHAPES)
    note = "synthetic: shapes drawn by a program, coloured, striped and lit by it"
    found = PairSet("shapes", sides, range(len(maps)), notes=(note,))
    return found, Classes(tuple(range(len(SHAPES))), colours, names)


def _facades() -> tuple[PairSet, Classes]:
    """CMP Facades (Tylecek and Sara 2013): photo left, label map right."""
    found = find_pairs("facades")
    colours = np.array(list(FACADE_COLOURS.values()), dtype=np.uint8)
    ids = tuple(range(len(colours)))
    classes = Classes(ids, colours, tuple(FACADE_COLOURS), nearest=True, palettes=False)
    notes = ("each picture is a pair side by side: photo left, label map right",)
    return replace(found, sides=found.sides[::-1], notes=notes), classes


NAMED: Mapping[str, Callable[[], tuple[PairSet, Classes]]] = {
    "facades": _facades,
    "shapes": _shapes,
}
"""Sets of label maps that are known by name."""
