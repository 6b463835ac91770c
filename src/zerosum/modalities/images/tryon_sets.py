"""Sets of persons in garments, laid out as VITON (Han et al. 2018) and VITON-HD are.

    train_pairs.txt  test_pairs.txt      lines of two names: person, garment
    train/image/  train/cloth/           photos of persons, and of garments on white
    train/cloth-mask/                    light where the garment is
    train/image-parse/                   a palette PNG of a class for each pixel, of 20 (LIP)
    train/agnostic/                      persons with torso and arms in grey, where they are made

and `test/` alike; without parts the folders lie beside the lists. Versions in a folder's name,
such as image-parse-v3, are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zerosum.data.parts import keep_aside
from zerosum.data.pixels import header, plain
from zerosum.errors import UserError
from zerosum.modalities.images.gallery import BadPictureError
from zerosum.names import first_names, printable

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
GARMENT = (5, 6, 7)
"""Classes of LIP (Gong et al. 2017) that are worn above: upper clothes, dress, coat."""
HIDDEN = (*GARMENT, 10, 14, 15)
"""And what a cut would show by: torso and neck, left arm, right arm."""
CLASSES = 20


@dataclass(frozen=True)
class Outfit:
    """The files of a person in a garment.

    Attributes:
        image: Photo of the person in the garment.
        cloth: The garment, flat.
        mask: Where it is; None where it is told by the white around it.
        parse: Classes of the photo's pixels.
        agnostic: The person without it; None where it is made of photo and classes.
    """

    image: Path
    cloth: Path
    mask: Path | None
    parse: Path
    agnostic: Path | None

    def opened(self, which: Literal["image", "cloth", "mask", "agnostic"]) -> Image.Image:
        """A picture of it, upright.

        Raises:
            BadPictureError: It cannot be read.
        """
        path = getattr(self, which)
        try:
            with Image.open(path) as picture:
                picture.load()
                return plain(picture)
        except Exception as error:  # decoders raise a dozen unrelated types on damaged files
            raise BadPictureError(printable(str(path)), str(error)) from error

    def size(self) -> tuple[int, int]:
        """(height, width) of the photo.

        Raises:
            UserError: It cannot be read.
        """
        try:
            with Image.open(self.image) as picture:
                return header(picture)[0]
        except Exception as error:
            raise UserError(f"{self.image} cannot be read ({error}): replace it") from error

    def regions(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Where the garment is seen, and what has to be hidden; uint8 (H, W), 255 where it is.

        Raises:
            BadPictureError: The classes cannot be read.
            UserError: They are colours, or beyond the 20 of LIP, or nothing is worn.
        """
        try:
            with Image.open(self.parse) as picture:
                mode, classes = picture.mode, np.asarray(picture)
        except Exception as error:
            raise BadPictureError(printable(str(self.parse)), str(error)) from error
        if mode not in ("P", "L") or classes.max() >= CLASSES:
            what = f"numbers up to {classes.max()}" if mode in ("P", "L") else f"mode {mode}"
            raise UserError(
                f"{self.parse} has {what}: image-parse holds class numbers 0 to {CLASSES - 1} of "
                "LIP, as a palette or grey PNG"
            )
        worn, hidden = (np.isin(classes, which) for which in (GARMENT, HIDDEN))
        if not worn.any():
            raise UserError(
                f"{self.parse} shows nothing worn above (classes {', '.join(map(str, GARMENT))}): "
                "leave its pair out of the list"
            )
        return worn.astype(np.uint8) * 255, hidden.astype(np.uint8) * 255


@dataclass(frozen=True)
class Outfits:
    """Outfits as they are found, not yet decoded.

    Attributes:
        name: Short name of the set.
        outfits: All of them.
        train: Numbers of those to learn from.
        heldout: Numbers of the set's own test part; None where it has none.
        notes: Decisions worth showing.
    """

    name: str
    outfits: Sequence[Outfit]
    train: Sequence[int]
    heldout: Sequence[int] | None
    notes: tuple[str, ...] = ()

    def parts(self, holdout: float) -> tuple[NDArray[np.int64], NDArray[np.int64], str]:
        """Numbers of the training and of the held-out outfits, and where the latter are from."""
        train = np.asarray(self.train, dtype=np.int64)
        if self.heldout is not None:
            held = np.asarray(self.heldout, dtype=np.int64)
            return train, held, f"the set's own test part ({len(held):,} outfits)"
        kept, held, note = keep_aside(len(train), holdout, "outfit")
        return train[kept], train[held], note


def find_outfits(root: Path) -> Outfits:
    """The outfits of a folder.

    Raises:
        UserError: A folder, a list or a file of an outfit is missing; it is named.
    """
    if not root.is_dir():
        raise UserError(f"{root} is no folder: give one that is laid out as VITON, or figures")
    name, notes = printable(root.resolve().name), []
    train, some = _part(root, "train")
    notes += some
    try:
        held, some = _part(root, "test")
    except _NoListError:
        return Outfits(name, train, range(len(train)), None, tuple(notes))
    split = len(train)
    both = (*train, *held)
    return Outfits(name, both, range(split), range(split, len(both)), (*notes, *some))


class _NoListError(UserError):
    """A part has no list of pairs."""


def _part(root: Path, part: str) -> tuple[list[Outfit], list[str]]:
    """The outfits of a part, and what to say of them."""
    place = root / part if (root / part).is_dir() else root
    lists = [folder / f"{part}_pairs.txt" for folder in (root, place)]
    path = next((one for one in lists if one.is_file()), None)
    if path is None:
        raise _NoListError(
            f"{lists[0]} is missing: each of its lines names a photo in image/ and a garment in "
            "cloth/, as  000001_0.jpg 000001_1.jpg"
        )
    folders = {word: _folder(place, word) for word in ("image", "cloth", "image-parse")}
    optional = {word: _folder(place, word, False) for word in ("cloth-mask", "agnostic")}
    found, other = [], 0
    for number, line in enumerate(
        path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
    ):
        words = line.split()
        if not words:
            continue
        if len(words) != 2:
            raise UserError(
                f"{path}, line {number} has {len(words)} words: write a photo's and a garment's "
                "name"
            )
        person, garment = words
        where = f"{path}, line {number}"
        own = _own(folders["cloth"], person)
        if own is not None and own.stem != Path(garment).stem:
            other, garment = other + 1, own.name
        mask, agnostic = optional["cloth-mask"], optional["agnostic"]
        found.append(
            Outfit(
                _file(folders["image"], person, where),
                _file(folders["cloth"], garment, where),
                _file(mask, garment, where) if mask else None,
                _file(folders["image-parse"], person, where),
                _file(agnostic, person, where) if agnostic else None,
            )
        )
    if not found:
        raise UserError(f"{path} names no pair: write a photo's and a garment's name in a line")
    notes = []
    if other:
        notes.append(
            f"{other:,} lines of {path.name} name another garment than the photo shows: the "
            "photo's own is taken, for which the answer is known"
        )
    if optional["cloth-mask"] is None:
        notes.append(f"{part}: no cloth-mask, garments are told by the white around them")
    if optional["agnostic"] is None:
        notes.append(f"{part}: no agnostic, photos are blanked by image-parse")
    return found, notes


def _folder(place: Path, word: str, needed: bool = True) -> Path | None:
    """The folder of a word, whatever version stands behind it; the newest of several."""
    names = sorted(one.name for one in place.iterdir() if one.is_dir())
    versions = [n for n in names if n == word or n.startswith((f"{word}-v", f"{word}-new"))]
    if versions:
        return place / versions[-1]
    if not needed:
        return None
    there = first_names(names) if names else "nothing"
    cure = "labels of the photos' pixels, 20 classes" if word == "image-parse" else "pictures"
    raise UserError(f"{place / word} is missing (there is {there}): put the {cure} there")


def _own(cloth: Path | None, person: str) -> Path | None:
    """The garment that a photo shows, by the names of VITON-HD (the same) or of VITON."""
    stem = Path(person).stem
    names = [stem, f"{stem[:-2]}_1"] if stem.endswith("_0") else [stem]
    return next((p for n in names for p in [_there(cloth, n)] if p is not None), None)


def _there(folder: Path | None, stem: str) -> Path | None:
    if folder is None:
        return None
    places = (folder / f"{stem}{suffix}" for suffix in SUFFIXES)
    return next((place for place in places if place.is_file()), None)


def _file(folder: Path | None, name: str, where: str) -> Path:
    """A file of a folder by its name, whatever its suffix.

    Raises:
        UserError: It is not there.
    """
    assert folder is not None
    found = _there(folder, Path(name).stem)
    if found is None:
        raise UserError(
            f"{folder / name} is missing, which {where} names: put it there, or take out the line"
        )
    return found
