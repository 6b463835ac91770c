"""Sharp pictures as they are found, with their small counterparts where a set brings them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from zerosum.data.parts import HELDOUT_NAMES, TRAIN_NAMES, keep_aside
from zerosum.data.places import GIB, named_file
from zerosum.errors import UserError
from zerosum.modalities.images.archives import open_archive
from zerosum.modalities.images.arrays import ArrayPictures
from zerosum.modalities.images.gallery import Pictures
from zerosum.modalities.images.named_pairs import find_pictures
from zerosum.modalities.images.pair_sets import Chosen
from zerosum.names import first_names

HIGH, LOW = ("hr", "gt", "high"), ("lr", "lq", "low")
"""Words in the folders, or at the end of the name, of sharp pictures and of small ones."""
_SCALE = re.compile(r"^x?[2348]x?$")
_IGNORED = {*HIGH, *LOW, "srf", "bicubic", "unknown", "mild", "wild", "difficult"}
"""Words that counterparts may differ in, beside those of a scale."""


@dataclass(frozen=True)
class SharpSet:
    """Pictures to be degraded, not yet decoded.

    Attributes:
        name: Short name of the set.
        high: Sharp pictures.
        low: Their counterparts in one order, where the set brings them.
        train: Numbers of the training pictures where the set has parts, else all.
        heldout: Numbers of the set's own held-out part; None where it has none.
        part: What that part is called.
        notes: Decisions worth showing.
    """

    name: str
    high: Pictures
    low: Pictures | None
    train: Sequence[int]
    heldout: Sequence[int] | None = None
    part: str = ""
    notes: tuple[str, ...] = ()

    def parts(self, holdout: float) -> tuple[NDArray[np.int64], NDArray[np.int64], str]:
        """Numbers of the training and of the held-out pictures, and where the latter are from."""
        train = np.asarray(self.train, dtype=np.int64)
        if self.heldout is not None:
            held = np.asarray(self.heldout, dtype=np.int64)
            return train, held, f"the set's own {self.part} part ({len(held):,} pictures)"
        kept, held, note = keep_aside(len(train), holdout, "picture")
        return train[kept], train[held], note


def find_sharp(text: str, scale: int, memory: float = 2.0) -> SharpSet:
    """The pictures that a text names: a named set, a folder or an archive.

    Raises:
        UserError: Nothing is there, or a picture of a set of counterparts has none.
    """
    if text in NAMED:
        return NAMED[text]()
    pictures, where = find_pictures(text, memory)
    name = PurePosixPath(where).stem
    words = [_words(path) for path in pictures.names]
    high = [number for number, found in enumerate(words) if found & set(HIGH)]
    low = [number for number, found in enumerate(words) if found & set(LOW)]
    low = [number for number in low if number not in set(high)]
    notes = pictures.notes
    if high and low:
        first, second, said = _matched(pictures.names, high, low, scale, where)
        notes += said
        sharp, small = Chosen(pictures, first), Chosen(pictures, second)
    else:
        first = list(range(len(pictures)))
        sharp, small = Chosen(pictures, first), None
    parts = [_part(pictures.names[number]) for number in first]
    train = next((part for part in TRAIN_NAMES if part in parts), "")
    held = next((part for part in HELDOUT_NAMES if part in parts), "")
    if not (train and held):
        return SharpSet(name, sharp, small, range(len(first)), notes=notes)
    learned, aside = ([i for i, one in enumerate(parts) if one == part] for part in (train, held))
    if rest := len(parts) - len(learned) - len(aside):
        notes += (f"pictures outside {train} and {held} are left out: {rest:,}",)
    return SharpSet(name, sharp, small, learned, aside, held, notes)


def _words(path: str) -> set[str]:
    """Words of a picture's folders, and the last one of its name, as in img_001_SRF_4_HR.png."""
    place = PurePosixPath(path.lower())
    return {*re.split(r"[/_\-. ]", str(place.parent)), re.split(r"[_\- ]", place.stem)[-1]}


def _part(path: str) -> str:
    """The part that the folders of a picture name; empty for none."""
    folders = set(re.split(r"[/_\- ]", str(PurePosixPath(path).parent).lower()))
    return next((part for part in (*TRAIN_NAMES, *HELDOUT_NAMES) if part in folders), "")


def _key(path: str) -> str:
    """What both pictures of a pair are called: 0801 of DIV2K_valid_LR_bicubic/X4/0801x4.png."""
    words = re.split(r"[_\- ]", PurePosixPath(path).stem.lower())
    kept = [word for word in words if word not in _IGNORED and not _SCALE.match(word)]
    stem = re.sub(r"x[2348]$", "", "_".join(kept))
    return f"{_part(path)}/{stem}"


def _matched(
    names: Sequence[str], high: Sequence[int], low: Sequence[int], scale: int, where: str
) -> tuple[list[int], list[int], tuple[str, ...]]:
    """Numbers of sharp pictures and of their counterparts in one order, and what to say."""
    other = [n for n in low if _scales(names[n]) and scale not in _scales(names[n])]
    notes = (f"pictures of other scales are left out: {len(other):,}",) if other else ()
    found: list[dict[str, int]] = []
    for side in (high, [n for n in low if n not in set(other)]):
        keyed: dict[str, int] = {}
        for number in side:
            before = keyed.setdefault(_key(names[number]), number)
            if before != number:
                raise UserError(
                    f"{where}: {names[before]} and {names[number]} have one name: rename one"
                )
        found.append(keyed)
    alone = [names[mine[key]] for mine, his in (found, found[::-1]) for key in mine.keys() - his]
    if alone:
        raise UserError(
            f"{where}: {len(alone)} of its pictures have no counterpart of the same name: "
            f"{first_names(sorted(alone))}: name both alike, or give the sharp ones alone"
        )
    return list(found[0].values()), [found[1][key] for key in found[0]], notes


def _scales(path: str) -> set[int]:
    """Scales that a path names, as X4 and 0801x4 do."""
    return {int(one) for one in re.findall(r"x([2348])(?![0-9])", path.lower())}


def _kodak() -> SharpSet:
    """The 24 photographs of the Kodak true colour suite, 768x512 or 512x768."""
    path = named_file("kodak", "kodak", "kodak24_webp_lossless.zip")
    pictures = open_archive(path, GIB)
    return SharpSet("kodak", pictures, None, range(len(pictures)), notes=pictures.notes)


def _samples() -> SharpSet:
    """The two photographs that come with scikit-learn, a palace and a flower, 640x427."""
    from sklearn.datasets import load_sample_images

    pictures = ArrayPictures(np.stack(load_sample_images().images), name="samples")
    return SharpSet("samples", pictures, None, [0], [1], "second picture")


NAMED: Mapping[str, Callable[[], SharpSet]] = {"kodak": _kodak, "samples": _samples}
"""Sets of sharp pictures that are known by name."""
