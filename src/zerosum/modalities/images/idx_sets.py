"""Sets of IDX files of one's own: pictures, labels and parts by the names that MNIST gave them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np

from zerosum.data.parts import HELDOUT_NAMES, TRAIN_NAMES
from zerosum.errors import UserError
from zerosum.modalities.images.arrays import ArrayPictures
from zerosum.modalities.images.classic import idx_array
from zerosum.modalities.images.gallery import Gallery
from zerosum.modalities.images.labels import UnusableError, label_values, of_parts
from zerosum.modalities.images.numpy_files import Stacked, plain
from zerosum.names import first_names, printable

# train-images-idx3-ubyte.gz, emnist-letters-test-labels.idx1-ubyte, mine.idx
_NAME = re.compile(
    r"(?P<head>.*?)(?P<what>images[-_.]|labels[-_.])?(?<=[-_.])idx\d?"
    r"([-_.]u?(byte|int|short|float|double))?(\.gz)?",
    re.IGNORECASE,
)
_HELD = ("t10k", *HELDOUT_NAMES)


class _File(NamedTuple):
    """What the name of an IDX file says."""

    name: str
    labels: bool
    part: str
    set: str


def is_idx(name: str) -> bool:
    """Whether a name is that of an IDX file."""
    base = PurePath(name).name
    return _NAME.fullmatch(base) is not None


def idx_fellows(path: Path) -> list[str]:
    """An IDX file of pictures, and the file of its labels where one lies beside it.

    Raises:
        UserError: The file itself holds labels.
    """
    mine = _parsed(path.name)
    if mine.labels:
        raise UserError(f"{path} holds labels: name the file of pictures, or the folder of both")
    files = (other.name for other in path.parent.iterdir() if other.is_file())
    beside = [_parsed(name) for name in files if is_idx(name)]
    labels = [one for one in beside if one.labels and one[2:] == mine[2:]]
    return [path.name, *(one.name for one in _once(labels))]


def open_idx(folder: Path, names: Sequence[str], memory: float = 2.0) -> Gallery:
    """The pictures, labels and parts of IDX files.

    Args:
        folder: Where they lie.
        names: Of the files, relative to it.
        memory: GiB that gzipped ones may take.

    Raises:
        UserError: A file is damaged, or it is unclear which files are meant.
    """
    files = _once([_parsed(name) for name in names])
    pictures = {(one.set, one.part): one for one in files if not one.labels}
    sets = sorted({key[0] for key in pictures})
    if not sets:
        raise UserError(f"{folder} holds labels but no pictures: add the file of the pictures")
    if len(sets) > 1:
        listed = first_names([printable(pictures[key].name) for key in sorted(pictures)])
        raise UserError(f"{folder} holds several sets of IDX files, name one of them: {listed}")
    parts = sorted((part for _, part in pictures), key=_rank)
    used, rest = parts[:1], parts[1:]
    if rest and _rank(used[0]) == 0 and _rank(rest[0]) > 0:
        used.append(rest.pop(0))
    notes: tuple[str, ...] = ()
    if rest:
        left = [printable(pictures[sets[0], part].name) for part in rest]
        notes += (f"IDX files of other parts left out: {first_names(left)}",)
    stacks = [idx_array(folder / pictures[sets[0], part].name) for part in used]
    plain({stack.path.name: stack for stack in stacks}, memory)
    if len({(stack.shape[1:], stack.dtype) for stack in stacks}) > 1:
        raise UserError(f"{folder}: its parts differ in shape or type: they are no one set")
    stated = {(one.set, one.part): one for one in files if one.labels}
    taken = {(sets[0], part) for part in used}
    if lost := [printable(one.name) for key, one in stated.items() if key not in taken]:
        notes += (f"labels not used: {first_names(lost)} is named like no pictures that are read",)
    values = []
    for part, stack in zip(used, stacks):
        found, why = _labels(folder, stated.get((sets[0], part)), stack.shape[0], memory)
        values.append(found)
        notes += (why,) if why else ()
    name = printable(PurePath(sets[0]).name or folder.resolve().name)
    several = ArrayPictures(Stacked(stacks), name=name)
    counts = (stacks[0].shape[0], len(several) - stacks[0].shape[0])
    labels = of_parts(values[0], values[1] if len(values) > 1 else None, counts)
    held = len(labels.heldout) > 0
    return Gallery(
        name,
        several,
        range(counts[0]),
        labels.numbers,
        labels.classes,
        labels.heldout if held else None,
        f"the set's own {used[1]} part ({len(labels.heldout):,})" if held else "",
        ((several.note,) if several.note else ()) + notes + labels.notes,
    )


def _parsed(name: str) -> _File:
    folder, _, base = name.rpartition("/")
    match = _NAME.fullmatch(base)
    assert match is not None, "only names of IDX files come here"
    words = [word for word in re.split("[-_.]", match["head"].lower()) if word]
    part = next((word for word in words if word in (*TRAIN_NAMES, *_HELD)), "")
    head = "-".join(word for word in words if word != part)
    labels = (match["what"] or "").lower().startswith("labels")
    return _File(name, labels, part, "/".join(filter(None, (folder, head))))


def _once(files: Sequence[_File]) -> list[_File]:
    """Of a file and the gzip of it, the file: it is read where it lies."""
    found: dict[tuple[bool, str, str], _File] = {}
    for one in sorted(files, key=lambda one: one.name.lower().endswith(".gz")):
        key = one.labels, one.part, one.set
        kept = found.setdefault(key, one)
        if kept is not one and one.name.lower().removesuffix(".gz") != kept.name.lower():
            raise UserError(
                f"{printable(kept.name)} and {printable(one.name)} could both be meant: "
                "take one of them away"
            )
    return list(found.values())


def _rank(part: str) -> int:
    return 0 if part in TRAIN_NAMES else 1 + _HELD.index(part) if part else 0


def _labels(
    folder: Path, file: _File | None, count: int, memory: float
) -> tuple[np.ndarray | None, str]:
    if file is None:
        return None, ""
    stored = idx_array(folder / file.name)
    plain({file.name: stored}, memory)
    try:
        return label_values(printable(file.name), stored.load(), count), ""
    except UnusableError as error:
        return None, f"labels not used: {error}"
