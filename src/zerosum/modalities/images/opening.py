"""Sets of pictures made ready for training: in memory, or decoded on demand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from zerosum.data.config import OnProgress
from zerosum.data.parts import keep_aside, limited
from zerosum.data.pixels import Framing
from zerosum.data.places import GIB
from zerosum.data.source import Mirrored, Source, Split, TensorSource
from zerosum.data.visits import Visits
from zerosum.errors import UserError, nearest
from zerosum.modalities.images.codec import ImageCodec
from zerosum.modalities.images.decoding import (
    BadPictures,
    check_all,
    colourful,
    decoded,
    look_for_more,
    none_readable,
    settle_framing,
    unreadable,
)
from zerosum.modalities.images.gallery import BadPictureError, Gallery, Pictures
from zerosum.modalities.images.settings import PictureSettings
from zerosum.names import first_names


class FileSource(Source):
    """Pictures decoded each time they are fetched, for sets larger than the memory."""

    in_memory = False

    def __init__(
        self,
        pictures: Pictures,
        numbers: np.ndarray,
        codec: ImageCodec,
        *,
        name: str,
        labels: np.ndarray | None = None,
        notes: tuple[str, ...] = (),
        skipped: tuple[str, ...] = (),
    ) -> None:
        self._pictures = pictures
        self._numbers = numbers
        self._framing = codec.framing
        self._labels = None if labels is None else torch.from_numpy(labels[numbers])
        self.name = name
        self.fields = codec.fields
        self.notes = notes
        self._skipped = skipped

    @property
    def skipped(self) -> tuple[str, ...]:
        return self._skipped

    def __len__(self) -> int:
        return len(self._numbers)

    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        rows = np.asarray(indices, dtype=np.int64)
        try:
            pixels = [self._pictures.pixels(int(n), self._framing) for n in self._numbers[rows]]
        except BadPictureError as error:
            raise unreadable(error) from error
        batch = {"image": torch.from_numpy(np.stack(pixels))}
        if self._labels is not None:
            batch["label"] = self._labels[torch.from_numpy(rows)]
        return batch


def open_gallery(
    config: PictureSettings,
    path: str,
    labelled: bool,
    gallery: Gallery,
    codec: ImageCodec | None = None,
    on_progress: OnProgress | None = None,
) -> Split:
    """Read a set as a config says.

    Args:
        config: Size, parts and memory.
        path: What the user called the set, for messages.
        labelled: Whether labels are used.
        gallery: The pictures.
        codec: A run's own; None finds size, channels and classes.
        on_progress: Called now and then with (done, of how many).
    """
    train, heldout, note = part(gallery, config.holdout)
    train = limited(train, config.limit)
    used = np.concatenate([train, heldout])
    pictures, bad = gallery.pictures, BadPictures(config.skip_bad)
    framing, settled = (
        (codec.framing, True)
        if codec is not None
        else settle_framing(config, path, pictures, used, bad, on_progress)
    )
    pixels = None
    if len(used) * framing.channels * framing.size[0] * framing.size[1] <= config.memory * GIB:
        pixels = decoded(pictures, used, framing, bad, on_progress)
        if not settled and not colourful(pixels):
            pixels = pixels[:, :1].copy()
            framing = Framing(framing.size, 1, framing.resize, framing.filter)
    elif config.skip_bad:
        check_all(pictures, used, framing, bad, on_progress)
    elif codec is not None or None not in (config.size, config.channels):
        look_for_more(pictures, used, on_progress)  # else all headers were looked at above

    notes = gallery.notes + pictures.remarks() + bad.notes()
    keep = np.array([number not in bad.found for number in used.tolist()], dtype=bool)
    labels, classes = (gallery.labels, gallery.classes) if labelled else (None, ())
    learnable = train[keep[: len(train)]]
    if codec is not None:
        labels = _renumbered(labels, classes, codec, path, learnable)
    elif labels is not None and len(learnable):
        labels, classes, said = _learned_classes(labels, classes, learnable)
        notes += said
    codec = codec or ImageCodec(framing, classes if labels is not None else ())
    if labels is not None:
        strange = keep & (labels[used] < 0)
        strange[: len(train)] = False
        keep &= ~strange
        if strange.any():
            notes += (
                "held-out pictures of no class of the training part, left out: "
                f"{int(strange.sum()):,} of {len(heldout):,}",
            )

    def source(where: slice, word: str) -> Source:
        name = f"{gallery.name}/{word}"
        good = used[where][keep[where]]
        if pixels is None:
            return FileSource(
                pictures,
                good,
                codec,
                name=name,
                labels=labels,
                notes=notes,
                skipped=bad.names(),
            )
        tensors = {"image": torch.from_numpy(pixels[where][keep[where]])}
        if labels is not None:
            tensors["label"] = torch.from_numpy(labels[good])
        return TensorSource(tensors, codec.fields, name=name, notes=notes, skipped=bad.names())

    learned = source(slice(0, len(train)), "train")
    if not len(learned):
        raise none_readable(path, len(train), bad.example)
    held = source(slice(len(train), None), "heldout")
    learned = Mirrored(learned) if config.flip else learned
    return Split(learned, held if len(held) else None, note, codec)


def part(gallery: Gallery, holdout: float) -> tuple[np.ndarray, np.ndarray, str]:
    """Numbers of the training and held-out pictures, and where the latter come from."""
    train = np.asarray(gallery.train, dtype=np.int64)
    if gallery.heldout is not None:
        return train, np.asarray(gallery.heldout, dtype=np.int64), gallery.heldout_note
    kept, held, note = keep_aside(len(train), holdout, "picture")
    if gallery.labels is not None and len(held):
        # A draw may take all pictures of a class, which would then never be learned.
        labels = gallery.labels[train]
        first = held[np.unique(labels[held], return_index=True)[1]]
        back = first[~np.isin(labels[first], labels[kept])]
        if len(back):
            kept, held = np.sort(np.append(kept, back)), np.setdiff1d(held, back)
            note += f", but for {len(back):,} without which a class had none to learn from"
    return train[kept], train[held], note


def _learned_classes(
    labels: np.ndarray, classes: tuple[str, ...], learned: np.ndarray
) -> tuple[np.ndarray | None, tuple[str, ...], tuple[str, ...]]:
    """Labels and classes without those that no picture to learn from has, and what was decided.

    Such a class, all of whose pictures are unreadable or beyond `data.limit`, would be drawn by
    whoever generates, and was never seen.
    """
    found = np.unique(labels[learned])
    if len(found) == len(classes):
        return labels, classes, ()
    kept = [classes[number] for number in found.tolist()]
    lost = [name for name in classes if name not in kept]
    notes: tuple[str, ...] = (
        f"classes that no picture to learn from has, left out: {first_names(lost, 5)}",
    )
    if len(kept) < 2:
        return None, (), (*notes, f"labels not used: all are of one class ({kept[0]})")
    numbers = np.full(len(classes), -1, dtype=np.int64)
    numbers[found] = np.arange(len(found))
    return np.where(labels < 0, labels, numbers[np.maximum(labels, 0)]), tuple(kept), notes


def _renumbered(
    labels: np.ndarray | None,
    classes: tuple[str, ...],
    codec: ImageCodec,
    path: str,
    learned: np.ndarray,
) -> np.ndarray | None:
    """Labels by the numbers that a run's codec gives its classes, -1 for others held out."""
    if not codec.classes:
        return None
    if labels is None:
        raise UserError(
            f"{path} has no labels, but the run learned {len(codec.classes)} classes from it: "
            "put the data back as they were"
        )
    known = {name: number for number, name in enumerate(codec.classes)}
    for number in np.unique(labels[learned]).tolist():
        if (name := classes[number]) not in known:
            raise UserError(
                f"{path} has a class '{name}' that the run did not learn: "
                f"{nearest(name, codec.classes)}"
            )
    numbers = np.array([known.get(name, -1) for name in classes], dtype=np.int64)
    return np.where(labels < 0, labels, numbers[np.maximum(labels, 0)])
