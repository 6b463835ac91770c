"""Where the normal pictures of a set lie, where the others, and which part each belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from zerosum.data.parts import HELDOUT_NAMES, TRAIN_NAMES, keep_aside
from zerosum.data.places import locate
from zerosum.errors import UserError, nearest
from zerosum.modalities.images.arrays import ArrayPictures
from zerosum.modalities.images.containers import Shards, container
from zerosum.modalities.images.gallery import Gallery, Pictures
from zerosum.modalities.images.named import NAMES
from zerosum.modalities.images.numpy_files import Stacked, stored_arrays

Numbers = NDArray[np.int64]

NORMAL, ABNORMAL, MASKS = "normal", "abnormal", "masks"
"""Folders of a set of anomalies."""
FEWEST = 20
"""Normal pictures below which nothing is learned: a threshold of 95 % needs twenty."""
CLASSES = {"pneumoniamnist": ("normal", "pneumonia")}
"""Names of classes that a file keeps as numbers, by the file's name."""


@dataclass(frozen=True)
class AnomalySet:
    """A set sorted by truth and part.

    Attributes:
        name: Of the set.
        pictures: The pictures.
        train: Numbers of the normal ones to learn from.
        held: Numbers of normal ones kept aside, for the threshold.
        held_note: Where they come from.
        trial: Numbers of those of both kinds that are told apart in a test.
        abnormal: Which of `trial` are anomalies, (len(trial),).
        masks: By number of an anomaly, the number of the picture that marks its pixels.
        notes: What was decided, one line each.
    """

    name: str
    pictures: Pictures
    train: Numbers
    held: Numbers
    held_note: str
    trial: Numbers
    abnormal: NDArray[np.bool_]
    masks: dict[int, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find_anomalies(path: str, normal: Sequence[str], holdout: float, memory: float) -> AnomalySet:
    """Find a set and sort it.

    Args:
        path: What the user named.
        normal: Names of the classes that count as normal; none where folders say it.
        holdout: Share of normal pictures kept aside for the threshold, and as many again for the
            test where the set has no test part of its own.
        memory: GiB that encoded files may take.

    Raises:
        UserError: Nothing is there, it has no such folder or class, or too few normal pictures.
    """
    medical = None if path in NAMES else _three_parts(path)
    if medical is not None:
        gallery, aside = _medical(medical, memory)
        return _by_class(path, gallery, normal, holdout, aside)
    found = container(path)
    if isinstance(found, Shards):
        raise UserError(f"{path}: shards are streamed and cannot be sorted: unpack them")
    gallery = found.gallery(memory)
    if normal:
        return _by_class(path, gallery, normal, holdout, None)
    return _by_folder(path, gallery, holdout)


def truths(names: Sequence[str]) -> list[bool | None]:
    """Whether each of some files is an anomaly, by its folder; None where no folder says it."""
    return [{NORMAL: False, ABNORMAL: True}.get(_sorted(name)) for name in names]


def is_mask(name: str) -> bool:
    """Whether a file lies in the folder of masks."""
    return _sorted(name) == MASKS


def _sorted(name: str) -> str:
    """The folder of a file that says what it is: `normal`, `abnormal`, `masks`, or ""."""
    folders = (folder.lower() for folder in PurePosixPath(name).parts[:-1])
    return next((one for one in folders if one in (NORMAL, ABNORMAL, MASKS)), "")


def _by_folder(path: str, gallery: Gallery, holdout: float) -> AnomalySet:
    """A folder or archive that holds `normal/` and, where there are any, `abnormal/`."""
    names = [str(name) for name in gallery.pictures.names]
    kinds = np.array([_sorted(name) for name in names])
    normals = np.flatnonzero(kinds == NORMAL)
    if not len(normals):
        cure = (
            f"or say with data.normal=CLASS which class is: {nearest(NORMAL, gallery.classes)}"
            if gallery.classes
            else "and anomalies, where you have some, into abnormal/"
        )
        raise UserError(f"{path} has no folder normal/: put normal pictures into one, {cure}")
    inside = [{folder.lower() for folder in PurePosixPath(name).parts[:-1]} for name in names]
    tested = np.array([bool(one & set(HELDOUT_NAMES)) for one in inside])
    if not any(one & set(TRAIN_NAMES) for one in inside):
        tested[:] = False  # a part without its counterpart is a folder like others
    train, official = normals[~tested[normals]], normals[tested[normals]]
    others = np.flatnonzero(kinds == ABNORMAL)
    stems = {_stem(names[i], MASKS): int(i) for i in np.flatnonzero(kinds == MASKS)}
    masks = {int(i): stems[s] for i in others if (s := _stem(names[i], ABNORMAL)) in stems}
    notes = gallery.pictures.notes
    if left := int((kinds == "").sum()):
        notes += (f"pictures in neither normal/ nor abnormal/ left out: {left:,}",)
    if stems and len(masks) < len(others):
        notes += (f"anomalies without a mask: {len(others) - len(masks):,} of {len(others):,}",)
    kept, held, note, more = _apart(path, train, holdout, not len(official))
    trial = np.concatenate([official, more, others])
    return AnomalySet(
        gallery.name,
        gallery.pictures,
        kept,
        held,
        note,
        trial,
        np.isin(trial, others),
        masks,
        notes,
    )


def _stem(name: str, folder: str) -> str:
    """A file's name below a folder and without its suffix, for masks of the same names."""
    parts = PurePosixPath(name).parts
    place = next(i for i, part in enumerate(parts) if part.lower() == folder)
    return str(PurePosixPath(*parts[place + 1 :]).with_suffix(""))


def _by_class(
    path: str, gallery: Gallery, normal: Sequence[str], holdout: float, aside: Numbers | None
) -> AnomalySet:
    """One class, or several, against the rest."""
    if gallery.labels is None or not gallery.classes:
        raise UserError(
            f"{path} has no classes, so data.normal={','.join(normal)} means nothing: put normal "
            "pictures into normal/ and leave it out"
        )
    if not normal and NORMAL in gallery.classes:
        normal = (NORMAL,)
    if not normal:
        listed = ", ".join(gallery.classes[:12])
        raise UserError(f"{path}: say with data.normal=CLASS which class is normal: {listed}")
    for name in normal:
        if name not in gallery.classes:
            raise UserError(
                f"{path} has no class '{name}' (data.normal): {nearest(name, gallery.classes)}"
            )
    wanted = [gallery.classes.index(name) for name in normal]
    is_normal = np.isin(gallery.labels, wanted)
    if is_normal[np.asarray(gallery.train)].all() and gallery.heldout is None:
        raise UserError(f"{path}: data.normal names all classes, so nothing is abnormal")
    learnable = np.asarray(gallery.train, dtype=np.int64)
    train, others = learnable[is_normal[learnable]], learnable[~is_normal[learnable]]
    notes = gallery.notes + gallery.pictures.notes
    official = None
    if gallery.heldout is not None:
        official = np.asarray(gallery.heldout, dtype=np.int64)
        if len(others):
            notes += (f"anomalies of the training part left out: {len(others):,}",)
    if aside is not None:
        held = aside[is_normal[aside]]
        kept, note, more = train, f"normals of the set's own val part ({len(held):,})", held[:0]
        _enough(path, len(train))
    else:
        kept, held, note, more = _apart(path, train, holdout, official is None)
    trial = official if official is not None else np.concatenate([more, others])
    return AnomalySet(
        f"{gallery.name}:{'+'.join(normal)}",
        gallery.pictures,
        kept,
        held,
        note,
        trial,
        ~is_normal[trial],
        notes=notes,
    )


def _apart(
    path: str, normals: Numbers, holdout: float, test: bool
) -> tuple[Numbers, Numbers, str, Numbers]:
    """Normal pictures to learn from, those for the threshold, a note, and those for the test."""
    _enough(path, len(normals))
    kept, held, note = keep_aside(len(normals), holdout, "normal picture")
    rest, held = normals[kept], normals[held]
    if not test or not len(held):
        return rest, held, f"normals: {note}", held[:0]
    kept, more, _ = keep_aside(len(rest), len(held) / len(rest), "normal picture")
    return rest[kept], held, f"normals: {note}, and as many again for the test", rest[more]


def _enough(path: str, count: int) -> None:
    if count < FEWEST:
        raise UserError(
            f"{path} has {count} normal pictures to learn from: {FEWEST} are the least, add some"
        )


def _three_parts(path: str) -> Path | None:
    """The .npz file of a path that holds pictures for training, validation and test."""
    place = locate(path, NAMES)
    if place.is_dir():
        files = sorted(place.glob("*.npz"))
        if len(files) != 1:
            return None
        place = files[0]
    if place.suffix.lower() != ".npz":
        return None
    keys = {f"{part}_{what}" for part in ("train", "val", "test") for what in ("images", "labels")}
    return place if keys <= set(stored_arrays(place)) else None


def _medical(path: Path, memory: float) -> tuple[Gallery, Numbers]:
    """A file laid out as MedMNIST's are, and the numbers of its validation part."""
    arrays = stored_arrays(path)
    parts = [arrays[f"{part}_images"] for part in ("train", "val", "test")]
    sizes = [part.shape[0] for part in parts]
    labels = np.concatenate(
        [arrays[f"{p}_labels"].load().ravel() for p in ("train", "val", "test")]
    )
    if len(labels) != sum(sizes):
        raise UserError(f"{path} has {sum(sizes):,} pictures and {len(labels):,} labels")
    values, numbers = np.unique(labels, return_inverse=True)
    names = CLASSES.get(path.stem, ())
    classes = names if len(names) == len(values) else tuple(str(value) for value in values)
    pictures = ArrayPictures(Stacked(parts), name=path.name)
    first, second, third = np.split(np.arange(sum(sizes), dtype=np.int64), np.cumsum(sizes)[:2])
    gallery = Gallery(
        path.stem,
        pictures,
        range(len(first)),
        numbers.astype(np.int64),
        classes,
        third.tolist(),
        f"the set's own test part ({len(third):,})",
    )
    return gallery, second
