"""The pairs of pictures that a text names: sets known by name, folders, archives, array files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from PIL import Image

from zerosum.data.places import GIB, locate, named_file
from zerosum.errors import UserError, nearest
from zerosum.modalities.images.archives import (
    ARCHIVE_SUFFIXES,
    ARRAY_SUFFIXES,
    FolderPictures,
    archive_stem,
    list_folder,
    open_archive,
)
from zerosum.modalities.images.gallery import Pictures
from zerosum.modalities.images.numpy_files import stored_arrays
from zerosum.modalities.images.pair_sets import PairSet, from_arrays, from_files, of_arrays
from zerosum.names import printable


def find_pairs(text: str, memory: float = 2.0) -> PairSet:
    """The pairs that a text names: a named set, a folder, an archive or an array file.

    Raises:
        UserError: Nothing is there, or it does not hold pairs.
    """
    name, _, choice = text.partition(":")
    if name in NAMED:
        if choice and name not in CHOOSING:
            raise UserError(f"{name} has no parts to choose from: write {name}, not {text}")
        return NAMED[name](choice)
    path = locate(text, NAMED)
    lowered = path.name.lower()
    if path.is_dir():
        listing = list_folder(path)
        packs = [n for n in listing.others if n.lower().endswith((*ARCHIVE_SUFFIXES, ".npz"))]
        if not listing.pictures and len(packs) == 1:
            found = find_pairs(str(path / packs[0]), memory)
            notes = (f"the set is {printable(packs[0])}", *listing.notes(used=packs))
            return replace(found, notes=notes + found.notes)
        if not listing.pictures:
            left = "; ".join(listing.notes())
            raise UserError(
                f"{path} holds no image files{f' ({left})' if left else ''}: "
                "name the folder that holds the pairs"
            )
        name = printable(path.resolve().name)
        return from_files(name, FolderPictures(path, listing), str(path))
    if lowered.endswith(ARCHIVE_SUFFIXES):
        found = open_archive(path, int(memory * GIB))
        return from_files(archive_stem(path.name), found, str(path))
    if lowered.endswith(ARRAY_SUFFIXES):
        return from_arrays(path, memory)
    raise UserError(f"{path} holds no pairs: give a folder, a .zip, a .tar or an .npz")


def find_pictures(text: str, memory: float = 2.0) -> tuple[Pictures, str]:
    """The pictures of a folder or an archive, and what to call it in messages.

    Raises:
        UserError: Nothing is there, or it holds no picture files.
    """
    path = locate(text, NAMED)
    if path.is_dir():
        listing = list_folder(path)
        packs = [n for n in listing.others if n.lower().endswith(ARCHIVE_SUFFIXES)]
        if listing.pictures or len(packs) != 1:
            return _some(FolderPictures(path, listing), str(path))
        path = path / packs[0]
    if path.name.lower().endswith(ARCHIVE_SUFFIXES):
        return _some(open_archive(path, int(memory * GIB)), str(path))
    raise UserError(f"{path} holds no picture files: give a folder, a .zip or a .tar")


def _some(pictures: Pictures, where: str) -> tuple[Pictures, str]:
    if not len(pictures):
        raise UserError(f"{where} holds no image files: check that it is the right one")
    return pictures, where


def _facades(choice: str) -> PairSet:
    """CMP Facades (Tylecek and Sara 2013): photo left, label map right."""
    path = named_file("facades", "facades", "facades.zip")
    return from_files("facades", open_archive(path, GIB), str(path))


def _icons(choice: str) -> PairSet:
    """Phosphor icons at 32 pixels in two styles, such as thin-bold: the same glyphs in both."""
    stored = stored_arrays(named_file("icons", "icons", "phosphor_32.npz"))
    arrays = {key: stored[key].load() for key in ("styles", "images")}
    styles = [str(style) for style in arrays["styles"]]
    words = (choice or "thin-bold").split("-")
    for word in words:
        if word not in styles:
            raise UserError(f"icons:{choice} has no style '{word}': {nearest(word, styles)}")
    if len(words) != 2:
        raise UserError(f"icons:{choice} needs two styles: write it like icons:thin-bold")
    first, second = (arrays["images"][:, styles.index(word)] for word in words)
    return of_arrays(f"icons-{'-'.join(words)}", first, second, "icons")


def _emoji_pairs(choice: str) -> PairSet:
    """1,911 emoji at 64 pixels in two styles, Noto and Twemoji: one motif, differently drawn."""
    where = "emoji-pairs"
    captions = named_file(where, where, "captions.tsv").read_text(encoding="utf-8")
    count = len(captions.splitlines()) - 1
    sides = []
    for style in ("noto", "twemoji"):
        path = named_file(where, where, f"{style}_64.png")
        with Image.open(path) as sheet:
            values = np.asarray(sheet.convert("RGBA"))
        rows, columns = values.shape[0] // CELL, values.shape[1] // CELL
        if rows * columns < count:
            raise UserError(
                f"{path} has {rows * columns:,} cells for {count:,} captions: fetch both anew"
            )
        cells = values.reshape(rows, CELL, columns, CELL, 4).swapaxes(1, 2)
        sides.append(cells.reshape(-1, CELL, CELL, 4)[:count])
    return of_arrays(where, sides[0], sides[1], where)


def _digits_edges(choice: str) -> PairSet:
    """Synthetic: the 8x8 digits of scikit-learn, and what a dilation of 3x3 adds around them."""
    from scipy.ndimage import grey_dilation
    from sklearn.datasets import load_digits

    values = np.asarray(load_digits(return_X_y=True)[0]).reshape(-1, 8, 8)
    digits = np.rint(values * (255 / 16)).astype(np.uint8)
    edges = np.asarray(grey_dilation(digits, size=(1, 3, 3))) - digits
    notes = ("synthetic pairs: the input is the outline that a dilation adds to a digit",)
    return of_arrays("digits-edges", edges, digits, "digits-edges", notes)


NAMED: Mapping[str, Callable[[str], PairSet]] = {
    "facades": _facades,
    "icons": _icons,
    "emoji-pairs": _emoji_pairs,
    "digits-edges": _digits_edges,
}
"""Sets of pairs that are known by name, with what may follow a colon."""
CHOOSING = ("icons",)
"""Those of which something may be chosen."""
CELL = 64
"""Side in pixels of a cell of the sheets of emoji."""
